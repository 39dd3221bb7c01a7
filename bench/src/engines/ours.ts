/** durable-execution over any of its storages: what the three engines of ours have in common. */

import {
  DurableExecutor,
  type DurableStorage,
  type DurableTask,
  type DurableTaskExecutionStatusStorageObject,
  type DurableTaskHandle,
} from 'durable-execution'

import { until } from '../measure/meter.ts'
import { chunks } from './callers.ts'
import { type Session, type Worker } from './engine.ts'
import { createTally, type Tally } from './tally.ts'

/** As many as the other engines are given. */
const SLOTS = 500

export const OUR_SETTINGS = `${SLOTS} slots; enqueued 1,000 in a call`

/** Enqueues many tasks at once; the setting above says how. */
async function enqueueMany<TInput, TOutput>(
  { executor }: Tasks,
  task: DurableTask<TInput, TOutput>,
  inputs: ReadonlyArray<TInput>,
): Promise<Array<DurableTaskHandle<TOutput>>> {
  return await executor.enqueueTasks(task, inputs)
}

export const OUR_STEPS = 'durable steps of a task (`ctx.step`)'

/** Nothing but errors is printed. */
export const QUIET = { debug: (): void => {}, info: (): void => {}, error: console.error }

/** An executor with the tasks of the workloads. */
type Tasks = {
  executor: DurableExecutor
  noop: DurableTask<number, number>
  parent: DurableTask<number, number>
  workflow: DurableTask<number, number>
}

/** A session over the storage; `close` closes the storage. */
export function openOurs(storage: DurableStorage, close: () => Promise<void>): Session {
  const tally = createTally()
  let current = defineTasks(storage, tally)
  return {
    enqueueOne: async (index) => {
      await current.executor.enqueueTask(current.noop, index)
    },
    enqueue: async (count) => {
      for (const indexes of chunks(count, 1_000)) {
        await enqueueMany(current, current.noop, indexes)
      }
    },
    startWorker: async () => {
      tally.reset()
      await current.executor.start()
      const { executor } = current
      return workerOf(executor, tally, () => {
        // One that has shut down takes no more tasks.
        current = defineTasks(storage, tally)
      })
    },
    roundTrip: async (index) => {
      await endOf(await current.executor.enqueueTask(current.noop, index))
    },
    runWorkflows: async (count, steps) => {
      for (const indexes of chunks(count, 1_000)) {
        const inputs = indexes.map(() => steps)
        const handles = await enqueueMany(current, current.workflow, inputs)
        await Promise.all(handles.map(endOf))
      }
    },
    fanOut: async (children) => {
      const output = await endOf(await current.executor.enqueueTask(current.parent, children))
      if (output !== (children * (children - 1)) / 2) {
        throw new Error(`The fan-out of ${children} gave ${String(output)}`)
      }
    },
    comeToRest: async () => await until(async () => await isAtRest(storage), 10),
    close: async () => {
      await current.executor.shutdown()
      await close()
    },
  }
}

function workerOf(executor: DurableExecutor, tally: Tally, onStop: () => void): Worker {
  let stopped: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    stopped ??= executor.shutdown().then(onStop)
    await stopped
  }
  return {
    stop,
    ran: tally.sum,
    finished: async (count) => {
      await tally.reached(count)
      // Ends when the last outcome is in the storage.
      await stop()
    },
  }
}

function defineTasks(storage: DurableStorage, tally: Tally): Tasks {
  const executor = new DurableExecutor(storage, { logger: QUIET, maxConcurrentTaskExecutions: SLOTS })
  const noop = executor.task({
    id: 'noop',
    timeoutMs: 60_000,
    run: (_ctx, index: number) => {
      tally.add(1)
      return index
    },
  })
  const parent = executor.parentTask({
    id: 'parent',
    timeoutMs: 60_000,
    runParent: (_ctx, size: number) => ({
      output: size,
      childrenTasks: Array.from({ length: size }, (_, index) => ({ task: noop, input: index })),
    }),
    finalizeTask: {
      id: 'combine',
      timeoutMs: 60_000,
      run: (_ctx, { childrenTasksOutputs }) =>
        childrenTasksOutputs.reduce((sum, one) => sum + (one.output as number), 0),
    },
  })
  const workflow = executor.task({
    id: 'workflow',
    timeoutMs: 600_000,
    run: async (ctx, steps: number) => {
      let value = 0
      for (let index = 0; index < steps; index += 1) {
        value = await ctx.step(`step ${index + 1}`, () => value + 1)
      }
      return value
    },
  })
  return { executor, noop, parent, workflow }
}

async function endOf(handle: DurableTaskHandle<unknown>): Promise<unknown> {
  const execution = await handle.waitAndGetTaskFinishedExecution()
  if (execution.status !== 'completed') {
    throw new Error(`A task ended ${execution.status}`)
  }
  return execution.output
}

const ALL_STATUSES: Array<DurableTaskExecutionStatusStorageObject> = [
  'ready',
  'running',
  'waiting_for_children_tasks',
  'waiting_for_finalize_task',
  'completed',
  'failed',
  'timed_out',
  'finalize_task_failed',
  'children_tasks_failed',
  'cancelled',
]

/** Whether all that was ever enqueued has finished, and is closed. */
async function isAtRest(storage: DurableStorage): Promise<boolean> {
  const open = await storage.withTransaction(
    async (tx) =>
      await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: ALL_STATUSES, isClosed: false }, 1),
    { oneCall: true },
  )
  return open.length === 0
}
