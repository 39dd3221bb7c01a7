/** The flags of the command, checked: a wrong one is refused with the values there are. */

import { parseArgs } from 'node:util'

import { type Amounts } from '../job.ts'
import {
  ENGINES,
  type EngineName,
  GROWTH_PARTS,
  type GrowthPart,
  OURS,
  TESTS,
  type TestName,
  USUAL_TESTS,
} from '../names.ts'

export type Flags = {
  engines: Array<EngineName>
  tests: Array<TestName>
  growth: Array<GrowthPart>
  amounts: Amounts
  runs: number
  timeoutSeconds: number
  redisFsync: RedisFsync
  /** Where the results go, if anywhere. */
  json: string | undefined
  /** The folder that the plots go into. */
  plots: string
}

/** How often Redis makes its log durable. */
export type RedisFsync = (typeof REDIS_FSYNC)[number]

/** Wrong use of the command; the message says what to do. */
export class UsageError extends Error {}

const REDIS_FSYNC = ['everysec', 'always'] as const
const ALL = 'all'

const OPTIONS = {
  engines: { type: 'string', default: OURS.join(',') },
  tests: { type: 'string', default: USUAL_TESTS.join(',') },
  growth: { type: 'string', default: ALL },
  tasks: { type: 'string', default: '200000' },
  warm: { type: 'string', default: '10000' },
  runs: { type: 'string', default: '3' },
  rows: { type: 'string', default: '1000000' },
  'idle-seconds': { type: 'string', default: '60' },
  timeout: { type: 'string', default: '900' },
  'redis-fsync': { type: 'string', default: 'everysec' },
  json: { type: 'string' },
  plots: { type: 'string', default: 'bench/results' },
  help: { type: 'boolean', default: false },
} as const

export const USAGE = `Measures durable-execution beside other engines. Each run has a process of its own and a fresh place, on
servers that are started for it with durability on. Progress goes to stderr, the tables in Markdown to stdout.

  npm run bench -- [flags]

    --engines LIST      default ${OURS.join(',')}
                        of ${ENGINES.join(', ')}; or ${ALL}
    --tests LIST        default ${USUAL_TESTS.join(',')}
                        of ${TESTS.join(', ')}; or ${ALL}
    --growth LIST       parts of the test growth; default ${ALL}: ${GROWTH_PARTS.join(', ')}
    --tasks N           no-op tasks of a throughput run, default 200000; no other workload is larger than that
    --warm N            tasks that warm each process up before it is measured, default 10000; 0: figures of a cold process
    --runs N            default 3; the tables hold medians. idle and growth are run once
    --rows N            finished rows of the part finished-rows, default 1000000; 10000000 is worth a look, with --timeout 3600
    --idle-seconds N    how long an idle engine is watched, default 60
    --timeout N         seconds after which a run is given up, default 900
    --redis-fsync HOW   ${REDIS_FSYNC.join(' or ')}, default everysec
    --json FILE         writes [{ engine, test, run, metrics }], again after each run
    --plots FOLDER      where throughput.svg, latency.svg and growth.svg are written, default bench/results

The peers' packages are installed in bench/peers when one is asked for. bullmq needs a redis-server on the PATH, absurd the
path of its absurd.sql in ABSURD_SQL; without, they are left out. Everything lies in the folder for temporary files: set
TMPDIR if that is not on a real disk.`

/** The flags of the command line, or `help`. Throws a {@link UsageError}. */
export function parseFlags(args: Array<string>): Flags | 'help' {
  const values = parse(args)
  if (values.help) {
    return 'help'
  }
  return {
    engines: chooseSome('engines', values.engines, ENGINES),
    tests: chooseSome('tests', values.tests, TESTS),
    growth: chooseSome('growth', values.growth, GROWTH_PARTS),
    amounts: {
      tasks: wholeNumber('tasks', values.tasks, 1),
      warm: wholeNumber('warm', values.warm, 0),
      idleSeconds: wholeNumber('idle-seconds', values['idle-seconds'], 1),
      rows: wholeNumber('rows', values.rows, 1),
    },
    runs: wholeNumber('runs', values.runs, 1),
    timeoutSeconds: wholeNumber('timeout', values.timeout, 1),
    redisFsync: choose('redis-fsync', values['redis-fsync'], REDIS_FSYNC),
    json: values.json,
    plots: values.plots,
  }
}

function parse(args: Array<string>): ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'] {
  try {
    return parseArgs({ args, options: OPTIONS }).values
  } catch (error) {
    const names = Object.keys(OPTIONS).map((name) => `--${name}`)
    throw new UsageError(`${(error as Error).message}. The flags are ${names.join(', ')}`, { cause: error })
  }
}

function chooseSome<T extends string>(flag: string, given: string, known: ReadonlyArray<T>): Array<T> {
  if (given === ALL) {
    return [...known]
  }
  const names = given.split(',').map((name) => name.trim())
  return [...new Set(names.map((name) => choose(flag, name, known, ` or ${ALL}, separated by commas`)))]
}

function choose<T extends string>(flag: string, given: string, known: ReadonlyArray<T>, more = ''): T {
  const found = known.find((name) => name === given)
  if (found === undefined) {
    throw new UsageError(`--${flag}: there is no '${given}'; choose among ${known.join(', ')}${more}`)
  }
  return found
}

function wholeNumber(flag: string, given: string, least: number): number {
  const number = Number(given)
  if (given.trim() === '' || !Number.isSafeInteger(number) || number < least) {
    throw new UsageError(`--${flag} must be a whole number, ${least} or more; got '${given}'`)
  }
  return number
}
