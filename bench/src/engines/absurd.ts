/** Absurd: durable functions in the database itself, whose SQL is given by its path in `ABSURD_SQL`. */

import { readFileSync } from 'node:fs'

import { Client, Pool } from 'pg'

import { loadPeer } from '../../peers/load.ts'
import { until } from '../measure/meter.ts'
import { type WorkloadName } from '../names.ts'
import { byCallers } from './callers.ts'
import { type Engine, type Session } from './engine.ts'
import { createTally, type Tally } from './tally.ts'

type Context = {
  step: <T>(name: string, run: () => Promise<T>) => Promise<T>
  awaitTaskResult: (taskId: string, options: { queue: string }) => Promise<unknown>
}
type App = {
  createQueue: (name: string) => Promise<void>
  registerTask: (
    options: { name: string },
    run: (input: number, context: Context) => Promise<unknown>,
  ) => void
  spawn: (name: string, input: number) => Promise<{ taskID: string }>
  startWorker: (options: object) => Promise<{ close: () => Promise<void> }>
  fetchTaskResult: (taskId: string) => Promise<{ state: string } | null>
  awaitTaskResult: (taskId: string) => Promise<{ state: string }>
}
type AbsurdModule = { Absurd: new (options: object) => App }

/** The variable that holds the path of its `absurd.sql`. */
export const ABSURD_SQL = 'ABSURD_SQL'

const AT_ONCE = 100
const CALLERS = 20
const QUIET = { log: (): void => {}, info: (): void => {}, warn: (): void => {}, error: console.error }

export const engine: Engine = {
  server: 'postgres',
  settings:
    `0.5.0; spawned by ${CALLERS} callers (there is no bulk call); concurrency and batch ${AT_ONCE}; polled every 0.25 s, ` +
    'every 10 ms for latency, steps and fan-out; latency by the caller looking at the row every millisecond',
  steps: 'durable steps of a task',
  tasksAtMost: 10_000,
  open: openAbsurd,
}

async function openAbsurd(connectionString: string, test: WorkloadName): Promise<Session> {
  const { Absurd } = await loadPeer<AbsurdModule>('absurd-sdk')
  await applySql(connectionString)
  const pool = new Pool({ connectionString, max: 20 })
  const [main, children] = ['main', 'children'].map(
    (queueName) => new Absurd({ db: pool, queueName, log: QUIET }),
  )
  if (main === undefined || children === undefined) {
    throw new Error('The queues of Absurd could not be opened')
  }
  await main.createQueue('main')
  await children.createQueue('children')
  const tally = createTally()
  registerTasks(main, children, tally)
  const isDone = async (): Promise<boolean> => {
    const { rows } = await pool.query(
      `select 1 from absurd.t_main where state not in ('completed', 'failed', 'cancelled') limit 1`,
    )
    return rows.length === 0
  }
  const pollInterval = test === 'throughput' || test === 'idle' ? 0.25 : 0.01
  const worker = { concurrency: AT_ONCE, batchSize: AT_ONCE, pollInterval }
  return {
    enqueue: async (count) => {
      await byCallers(CALLERS, count, async (index) => await main.spawn('noop', index))
    },
    startWorker: async () => {
      tally.reset()
      const workers = [await main.startWorker(worker)]
      if (test === 'fanout') {
        workers.push(await children.startWorker(worker))
      }
      return {
        finished: async (count) => {
          await tally.reached(count)
          await until(isDone, 5)
        },
        stop: async () => {
          await Promise.all(workers.map((each) => each.close()))
        },
      }
    },
    roundTrip: async (index) => {
      const { taskID } = await main.spawn('noop', index)
      await until(async () => (await main.fetchTaskResult(taskID))?.state === 'completed', 1)
    },
    runWorkflows: async (count, steps) => {
      tally.reset()
      await byCallers(CALLERS, count, async () => await main.spawn('steps', steps))
      await tally.reached(count)
      await until(isDone, 5)
    },
    fanOut: async (size) => {
      const { taskID } = await main.spawn('parent', size)
      const { state } = await main.awaitTaskResult(taskID)
      if (state !== 'completed') {
        throw new Error(`The parent of Absurd ended ${state}`)
      }
    },
    close: async () => await pool.end(),
  }
}

function registerTasks(main: App, children: App, tally: Tally): void {
  const noop = (input: number): Promise<number> => {
    tally.add(1)
    return Promise.resolve(input)
  }
  main.registerTask({ name: 'noop' }, noop)
  children.registerTask({ name: 'child' }, noop)
  main.registerTask({ name: 'steps' }, async (steps, context) => {
    for (let index = 0; index < steps; index += 1) {
      await context.step(`step${index}`, () => Promise.resolve(index))
    }
    tally.add(1)
  })
  main.registerTask({ name: 'parent' }, async (size, context) => {
    const ids = await context.step('spawn', async () => {
      const spawned: Array<string> = []
      await byCallers(10, size, async (index) => {
        spawned.push((await children.spawn('child', index)).taskID)
      })
      return spawned
    })
    for (const id of ids) {
      await context.awaitTaskResult(id, { queue: 'children' })
    }
    return ids.length
  })
}

async function applySql(connectionString: string): Promise<void> {
  const client = new Client({ connectionString })
  await client.connect()
  await client.query(readFileSync(process.env[ABSURD_SQL] ?? '', 'utf8'))
  await client.end()
}
