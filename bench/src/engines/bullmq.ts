/** BullMQ over Redis, which is weaker in what it keeps: with everysec the last second may be lost with the power. */

import { loadPeer } from '../../peers/load.ts'
import { until } from '../measure/meter.ts'
import { type WorkloadName } from '../names.ts'
import { chunks } from './callers.ts'
import { type Engine, type Session } from './engine.ts'
import { createTally } from './tally.ts'

type Job = { name: string; getChildrenValues: () => Promise<object> }
type Redis = { info: (section: string) => Promise<string>; disconnect: () => void }
type IoRedis = { Redis: new (url: string) => Redis }
type Queue = {
  add: (name: string, data: object) => Promise<EnqueuedJob>
  addBulk: (jobs: Array<{ name: string; data: object }>) => Promise<unknown>
  getCompletedCount: () => Promise<number>
  close: () => Promise<void>
}
type QueueEvents = { waitUntilReady: () => Promise<unknown>; close: () => Promise<void> }
type EnqueuedJob = { waitUntilFinished: (events: QueueEvents) => Promise<unknown> }
type FlowJob = { name: string; queueName: string; data?: object; children?: Array<FlowJob> }
type Flows = {
  add: (flow: FlowJob) => Promise<{ job: EnqueuedJob }>
  addBulk: (flows: Array<FlowJob>) => Promise<unknown>
  close: () => Promise<void>
}
type BullMq = {
  Queue: new (name: string, options: object) => Queue
  QueueEvents: new (name: string, options: object) => QueueEvents
  FlowProducer: new (options: object) => Flows
  Worker: new (
    name: string,
    run: (job: Job) => Promise<unknown>,
    options: object,
  ) => { waitUntilReady: () => Promise<unknown>; close: () => Promise<void> }
}

const CONCURRENCY = 100

export const engine: Engine = {
  server: 'redis',
  settings: `6.7.0; added 1,000 in a call; concurrency ${CONCURRENCY}, for latency 1; completed jobs are kept, as by default`,
  steps: 'a chain: nested jobs of a flow',
  open: openBullMq,
}

async function openBullMq(place: string, test: WorkloadName): Promise<Session> {
  const { Queue, QueueEvents, FlowProducer, Worker } = await loadPeer<BullMq>('bullmq')
  const { hostname, port } = new URL(place)
  const connection = { host: hostname, port: Number(port), maxRetriesPerRequest: null }
  const { Redis } = await loadPeer<IoRedis>('ioredis')
  const redis = new Redis(place)
  const queue = new Queue('noop', { connection })
  const flows = new FlowProducer({ connection })
  const [noopEvents, parentEvents] = ['noop', 'parent'].map((name) => new QueueEvents(name, { connection }))
  if (noopEvents === undefined || parentEvents === undefined) {
    throw new Error('The events of BullMQ could not be opened')
  }
  await Promise.all([noopEvents.waitUntilReady(), parentEvents.waitUntilReady()])
  const workflowsEnded = createTally()
  const handlers: Record<string, (job: Job) => Promise<unknown>> = {
    noop: () => Promise.resolve({ ok: true }),
    step: ({ name }) => {
      workflowsEnded.add(name === 'last' ? 1 : 0)
      return Promise.resolve()
    },
    parent: async (job) => Object.keys(await job.getChildrenValues()).length,
  }
  return {
    enqueue: async (count) => {
      for (const indexes of chunks(count, 1_000)) {
        await queue.addBulk(indexes.map((index) => ({ name: 'noop', data: { index } })))
      }
    },
    enqueueOne: async (index) => {
      await queue.add('noop', { index })
    },
    startWorker: async () => {
      const before = await queue.getCompletedCount()
      const concurrency = test === 'latency' ? 1 : CONCURRENCY
      const workers = Object.entries(handlers)
        .filter(([name]) => NEEDED[test].includes(name))
        .map(([name, run]) => new Worker(name, run, { connection, concurrency }))
      await Promise.all(workers.map((worker) => worker.waitUntilReady()))
      return {
        finished: async (count) => {
          await until(async () => (await queue.getCompletedCount()) >= before + count, 5)
        },
        stop: async () => {
          await Promise.all(workers.map((worker) => worker.close()))
        },
      }
    },
    roundTrip: async (index) => {
      const job = await queue.add('noop', { index })
      await job.waitUntilFinished(noopEvents)
    },
    runWorkflows: async (count, steps) => {
      workflowsEnded.reset()
      for (const indexes of chunks(count, 100)) {
        await flows.addBulk(indexes.map(() => chainOf(steps)))
      }
      await workflowsEnded.reached(count)
    },
    fanOut: async (children) => {
      const { job } = await flows.add({
        name: 'parent',
        queueName: 'parent',
        children: Array.from({ length: children }, (_, index) => ({
          name: 'noop',
          queueName: 'noop',
          data: { index },
        })),
      })
      await job.waitUntilFinished(parentEvents)
    },
    countAsked: async () => {
      const text = await redis.info('stats')
      return { transactions: Number(/total_commands_processed:(\d+)/.exec(text)?.[1]) }
    },
    close: async () => {
      redis.disconnect()
      await Promise.all([queue, flows, noopEvents, parentEvents].map((each) => each.close()))
    },
  }
}

/** Which queues have a worker in which test. */
const NEEDED: Record<WorkloadName, Array<string>> = {
  throughput: ['noop'],
  latency: ['noop'],
  steps: ['step'],
  fanout: ['noop', 'parent'],
  idle: ['noop'],
}

/** The last step is the outermost parent. */
function chainOf(steps: number): FlowJob {
  let flow: FlowJob = { name: steps === 1 ? 'last' : 'step', queueName: 'step' }
  for (let step = 2; step <= steps; step += 1) {
    flow = { name: step === steps ? 'last' : 'step', queueName: 'step', children: [flow] }
  }
  return flow
}
