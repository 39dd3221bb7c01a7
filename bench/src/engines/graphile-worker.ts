/** graphile-worker, with all its batching: the settings of its own performance test, and a larger local queue. */

import { EventEmitter } from 'node:events'

import { Client } from 'pg'

import { loadPeer } from '../../peers/load.ts'
import { until } from '../measure/meter.ts'
import { chunks } from './callers.ts'
import { type Engine, type Session } from './engine.ts'
import { createTally } from './tally.ts'

type Job = { identifier: string; payload: unknown }
type Utils = {
  migrate: () => Promise<void>
  addJob: (identifier: string, payload: unknown) => Promise<unknown>
  addJobs: (jobs: Array<Job>) => Promise<unknown>
  release: () => Promise<void>
}
type Helpers = { addJob: (identifier: string, payload: unknown) => Promise<unknown> }
type Graphile = {
  Logger: new (factory: () => () => void) => object
  makeWorkerUtils: (options: object) => Promise<Utils>
  run: (options: {
    taskList: Record<string, (payload: unknown, helpers: Helpers) => Promise<void>>
    events: EventEmitter
    noHandleSignals: boolean
    preset: object
  }) => Promise<{ stop: () => Promise<void> }>
}

const JOBS_AT_ONCE = 24
// Tried: 500 as in its own test, 1,000 and 2,000, which is a quarter quicker than 500; and 10, 50 and 100 jobs at once.
const LOCAL_QUEUE = 2_000

export const engine: Engine = {
  server: 'postgres',
  settings:
    `0.18.0; added 1,000 in a call; ${JOBS_AT_ONCE} jobs at once, local queue of ${LOCAL_QUEUE.toLocaleString('en')}, ` +
    'completions in batches without delay; it deletes what is done',
  steps: 'a chain: each job adds the next',
  lacks: { fanout: 'it has no parents with children' },
  open: openGraphile,
}

async function openGraphile(connectionString: string): Promise<Session> {
  const { Logger, makeWorkerUtils, run } = await loadPeer<Graphile>('graphile-worker')
  const logger = new Logger(() => () => {})
  const utils = await makeWorkerUtils({ connectionString, logger })
  await utils.migrate()
  const client = new Client({ connectionString })
  await client.connect()
  const tally = createTally()
  const chainsEnded = createTally()
  const events = new EventEmitter()
  const taskList = {
    noop: () => {
      tally.add(1)
      return Promise.resolve()
    },
    step: async (payload: unknown, helpers: Helpers) => {
      const { left } = payload as { left: number }
      if (left > 1) {
        await helpers.addJob('step', { left: left - 1 })
      } else {
        chainsEnded.add(1)
      }
    },
  }
  const isEmpty = async (): Promise<boolean> => {
    const { rows } = await client.query('select 1 from graphile_worker._private_jobs limit 1')
    return rows.length === 0
  }
  return {
    enqueue: async (count) => {
      for (const indexes of chunks(count, 1_000)) {
        await utils.addJobs(indexes.map((index) => ({ identifier: 'noop', payload: { index } })))
      }
    },
    enqueueOne: async (index) => {
      await utils.addJob('noop', { index })
    },
    startWorker: async () => {
      tally.reset()
      const preset = { worker: { connectionString, logger, ...WORKER } }
      const runner = await run({ taskList, events, noHandleSignals: true, preset })
      return {
        finished: async (count) => {
          await tally.reached(count)
          await until(isEmpty, 3)
        },
        stop: async () => await runner.stop(),
      }
    },
    roundTrip: async (index) => {
      const completed = new Promise((resolve) => {
        events.once('job:complete', resolve)
      })
      await utils.addJob('noop', { index })
      await completed
    },
    runWorkflows: async (count, steps) => {
      chainsEnded.reset()
      for (const indexes of chunks(count, 1_000)) {
        await utils.addJobs(indexes.map(() => ({ identifier: 'step', payload: { left: steps } })))
      }
      await chainsEnded.reached(count)
      await until(isEmpty, 3)
    },
    close: async () => {
      await client.end()
      await utils.release()
    },
  }
}

const WORKER = {
  concurrentJobs: JOBS_AT_ONCE,
  maxPoolSize: JOBS_AT_ONCE + 1,
  localQueue: { size: LOCAL_QUEUE, refetchDelay: { durationMs: 10 } },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
}
