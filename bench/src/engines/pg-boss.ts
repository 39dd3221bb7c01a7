/** pg-boss: inserts and fetches in large batches, one beside the other, without a pause while a batch comes back full. */

import { Client } from 'pg'

import { loadPeer } from '../../peers/load.ts'
import { until } from '../measure/meter.ts'
import { type WorkloadName } from '../names.ts'
import { chunks } from './callers.ts'
import { type Engine, type Session } from './engine.ts'
import { createTally } from './tally.ts'

type Job = { data: unknown }
type FlowJob = { ref: string; name: string; data?: object; dependsOn?: Array<string> }
type Boss = {
  on: (event: string, listener: (error: Error) => void) => void
  start: () => Promise<unknown>
  stop: (options: object) => Promise<void>
  createQueue: (name: string, options?: object) => Promise<void>
  insert: (name: string, jobs: Array<Job>) => Promise<unknown>
  send: (name: string, data: object) => Promise<string | null>
  flow: (jobs: Array<FlowJob>) => Promise<unknown>
  work: (name: string, options: object, handler: (jobs: Array<Job>) => Promise<unknown>) => Promise<string>
  offWork: (name: string) => Promise<void>
  findJobs: (name: string, options: { id: string }) => Promise<Array<{ state: string }>>
}
type PgBossModule = { PgBoss: new (options: object) => Boss }

// Tried: 250, 500, 1,000 and 2,000 in a batch, by 1, 2 and 4 workers. One completes while the other fetches.
const BATCH = 500
const WORKERS = 2
const IN_BATCHES = {
  batchSize: BATCH,
  localConcurrency: WORKERS,
  burstWhenBatchFull: true,
  pollingIntervalSeconds: 0.5,
  notifyPollingIntervalSeconds: 0.5,
}
// Woken by a notification, it need not poll.
const ONE_BY_ONE = { batchSize: 1 }

/** Which queues have a worker in which test. */
const NEEDED: Record<WorkloadName, Array<string>> = {
  throughput: ['noop'],
  latency: ['noop'],
  steps: ['step'],
  fanout: ['noop', 'combine'],
  idle: ['noop'],
}

export const engine: Engine = {
  server: 'postgres',
  settings:
    `12.38.0; inserted 1,000 in a call; fetched ${BATCH} in a batch by ${WORKERS} workers, at once again while batches are full, else every 0.5 s; ` +
    'flows looked at every second; ' +
    'latency and idle with notify and batches of one, the caller looking at the row all the time',
  steps: 'a chain: each batch of jobs inserts the next',
  open: openPgBoss,
}

async function openPgBoss(connectionString: string, test: WorkloadName): Promise<Session> {
  const { PgBoss } = await loadPeer<PgBossModule>('pg-boss')
  const boss = new PgBoss({ connectionString, useListenNotify: true, max: 10, flowIntervalSeconds: 1 })
  boss.on('error', (error) => console.error(error.message))
  boss.on('warning', () => {})
  await boss.start()
  const needsHints = test === 'latency' || test === 'idle'
  await boss.createQueue('noop', { notify: needsHints })
  await boss.createQueue('step', { notify: true })
  await boss.createQueue('combine', { notify: true })
  const client = new Client({ connectionString })
  await client.connect()
  const [tally, workflowsEnded, combined] = [createTally(), createTally(), createTally()]
  const handlers: Record<string, (jobs: Array<Job>) => Promise<void> | void> = {
    noop: (jobs) => tally.add(jobs.length),
    step: async (jobs) => {
      const next = jobs.map(({ data }) => (data as { left: number }).left - 1).filter((left) => left > 0)
      if (next.length > 0) {
        await boss.insert(
          'step',
          next.map((left) => ({ data: { left } })),
        )
      }
      workflowsEnded.add(jobs.length - next.length)
    },
    combine: (jobs) => combined.add(jobs.length),
  }
  const isDone = async (): Promise<boolean> => {
    const { rows } = await client.query(
      `select 1 from pgboss.job where name in ('noop', 'step') and state < 'completed' limit 1`,
    )
    return rows.length === 0
  }
  return {
    enqueue: async (count) => {
      for (const indexes of chunks(count, 1_000)) {
        await boss.insert(
          'noop',
          indexes.map((index) => ({ data: { index } })),
        )
      }
    },
    enqueueOne: async (index) => {
      await boss.send('noop', { index })
    },
    startWorker: async () => {
      tally.reset()
      for (const name of NEEDED[test]) {
        await boss.work(
          name,
          test === 'latency' || test === 'idle' ? ONE_BY_ONE : IN_BATCHES,
          async (jobs) => {
            await handlers[name]?.(jobs)
            return { ok: true }
          },
        )
      }
      return {
        finished: async (count) => {
          await tally.reached(count)
          await until(isDone, 3)
        },
        stop: async () => {
          await Promise.all(NEEDED[test].map((name) => boss.offWork(name)))
        },
      }
    },
    roundTrip: async (index) => {
      tally.reset()
      const ran = tally.reached(1)
      const id = (await boss.send('noop', { index })) ?? ''
      await ran
      await until(async () => (await boss.findJobs('noop', { id }))[0]?.state === 'completed', 0)
    },
    runWorkflows: async (count, steps) => {
      workflowsEnded.reset()
      for (const indexes of chunks(count, 1_000)) {
        await boss.insert(
          'step',
          indexes.map(() => ({ data: { left: steps } })),
        )
      }
      await workflowsEnded.reached(count)
      await until(isDone, 3)
    },
    fanOut: async (children) => {
      combined.reset()
      const refs = Array.from({ length: children }, (_, index) => `child${index}`)
      await boss.flow([
        ...refs.map((ref, index) => ({ ref, name: 'noop', data: { index } })),
        { ref: 'parent', name: 'combine', dependsOn: refs },
      ])
      await combined.reached(1)
    },
    close: async () => {
      await client.end()
      await boss.stop({ graceful: false })
    },
  }
}
