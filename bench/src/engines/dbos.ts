/** DBOS: from a queue where many tasks wait, called directly where one caller waits. */

import { Client } from 'pg'

import { loadPeer } from '../../peers/load.ts'
import { until } from '../measure/meter.ts'
import { byCallers } from './callers.ts'
import { type Engine, type Session } from './engine.ts'
import { createTally, type Tally } from './tally.ts'

type Handle<T> = { getResult: (options?: { pollingIntervalMs: number }) => Promise<T> }
type Workflow<A extends Array<unknown>, T> = (...args: A) => Promise<T>
type Dbos = {
  registerWorkflow: <A extends Array<unknown>, T>(
    run: Workflow<A, T>,
    options: { name: string },
  ) => Workflow<A, T>
  runStep: <T>(run: () => Promise<T>, options: { name: string }) => Promise<T>
  startWorkflow: <A extends Array<unknown>, T>(
    workflow: Workflow<A, T>,
    options?: { queueName?: string },
  ) => (...args: A) => Promise<Handle<T>>
  setConfig: (config: object) => void
  migrate: (connectionString: string) => Promise<void>
  launch: () => Promise<void>
  shutdown: () => Promise<void>
  registerQueue: (name: string, options: object) => Promise<unknown>
}
type DbosClient = {
  enqueue: (options: object, ...args: Array<unknown>) => Promise<unknown>
  destroy: () => Promise<void>
}
type DbosModule = { DBOS: Dbos; DBOSClient: { create: (options: object) => Promise<DbosClient> } }

const QUEUE = 'bench'
const VERSION = 'bench'
const QUEUE_OPTIONS = { workerConcurrency: 500, minPollingIntervalMs: 10 }
const POOL = 20
const CALLERS = 20

export const engine: Engine = {
  server: 'postgres',
  settings:
    `5.3.0; enqueued by ${CALLERS} callers (there is no bulk call); a queue with workerConcurrency 500, polled every 10 ms at least; ` +
    `pool of ${POOL}; latency and fan-out by direct calls without the queue, which is quicker there`,
  steps: 'durable steps of a workflow, from the queue',
  tasksAtMost: 10_000,
  open: openDbos,
}

async function openDbos(connectionString: string): Promise<Session> {
  const { DBOS, DBOSClient } = await loadPeer<DbosModule>('@dbos-inc/dbos-sdk')
  const tally = createTally()
  const { noop, steps, parent } = registerWorkflows(DBOS, tally)
  await DBOS.migrate(connectionString)
  const dbosClient = await DBOSClient.create({
    systemDatabaseUrl: connectionString,
    systemDatabasePoolSize: POOL,
  })
  const client = new Client({ connectionString })
  await client.connect()
  const isDone = async (): Promise<boolean> => {
    const { rows } = await client.query(
      `select 1 from dbos.workflow_status where status in ('PENDING', 'ENQUEUED') limit 1`,
    )
    return rows.length === 0
  }
  return {
    enqueue: async (count) => {
      const options = { queueName: QUEUE, workflowName: 'noop', appVersion: VERSION }
      await byCallers(CALLERS, count, async (index) => await dbosClient.enqueue(options, index))
    },
    startWorker: async () => {
      tally.reset()
      await launch(DBOS, connectionString)
      return {
        finished: async (count) => {
          await tally.reached(count)
          await until(isDone, 5)
        },
        stop: async () => await DBOS.shutdown(),
      }
    },
    roundTrip: async (index) => {
      await noop(index)
    },
    runWorkflows: async (count, size) => {
      const start = DBOS.startWorkflow(steps, { queueName: QUEUE })
      await byCallers(CALLERS, count, async () => await start(size))
      await until(isDone, 20)
    },
    fanOut: async (children) => {
      const handle = await DBOS.startWorkflow(parent)(children)
      await handle.getResult({ pollingIntervalMs: 10 })
    },
    close: async () => {
      await client.end()
      await dbosClient.destroy()
    },
  }
}

async function launch(dbos: Dbos, connectionString: string): Promise<void> {
  dbos.setConfig({
    name: 'bench',
    systemDatabaseUrl: connectionString,
    systemDatabasePoolSize: POOL,
    logLevel: 'error',
    applicationVersion: VERSION,
  })
  await dbos.launch()
  await dbos.registerQueue(QUEUE, QUEUE_OPTIONS)
}

function registerWorkflows(
  dbos: Dbos,
  tally: Tally,
): {
  noop: Workflow<[number], number>
  steps: Workflow<[number], void>
  parent: Workflow<[number], number>
} {
  const noop = dbos.registerWorkflow(
    (index: number) => {
      tally.add(1)
      return Promise.resolve(index)
    },
    { name: 'noop' },
  )
  const steps = dbos.registerWorkflow(
    async (count: number) => {
      for (let step = 0; step < count; step += 1) {
        await dbos.runStep(() => Promise.resolve(step), { name: `step${step}` })
      }
    },
    { name: 'steps' },
  )
  const parent = dbos.registerWorkflow(
    async (children: number) => {
      const handles: Array<Handle<number>> = []
      for (let index = 0; index < children; index += 1) {
        handles.push(await dbos.startWorkflow(noop)(index))
      }
      let sum = 0
      for (const handle of handles) {
        sum += await handle.getResult()
      }
      return sum
    },
    { name: 'parent' },
  )
  return { noop, steps, parent }
}
