/** The command: `npm run bench -- [--engines LIST] [--tests LIST] [--help]`. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { type Bench, runBench } from './command/bench.ts'
import { type Flags, parseFlags, USAGE, UsageError } from './command/flags.ts'
import { type Result } from './measure/metrics.ts'
import { describeMachine } from './report/machine.ts'
import { drawPlots } from './report/plots.ts'
import { formatReport } from './report/report.ts'

async function main(): Promise<void> {
  const flags = parseFlags(process.argv.slice(2))
  if (flags === 'help') {
    console.log(USAGE)
    return
  }
  const save = (results: Array<Result>): void => {
    if (flags.json !== undefined) {
      writeFileSync(flags.json, `${JSON.stringify(results, null, 2)}\n`)
    }
  }
  // So that a file or folder that cannot be written is known before, not after.
  save([])
  mkdirSync(flags.plots, { recursive: true })
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => stop.abort(new Error(`Ended by ${signal}`)))
  }
  const bench = await runBench(flags, { tell: (line) => console.error(line), save, signal: stop.signal })
  print(flags, bench)
  if (bench.failures.length > 0) {
    process.exitCode = 1
  }
}

function print(flags: Flags, bench: Bench): void {
  const { tests, amounts, runs, engines, plots } = flags
  console.log(formatReport({ machine: describeMachine(flags, new Date()), tests, amounts, runs, ...bench }))
  for (const [name, svg] of Object.entries(drawPlots(bench.results, engines))) {
    const path = join(plots, name)
    writeFileSync(path, svg)
    console.error(`plot: ${path}`)
  }
}

try {
  await main()
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\nnpm run bench -- --help says the rest`)
  } else {
    console.error(error instanceof Error ? error.message : error)
  }
  process.exitCode = 1
}
