/** The work that the tests of files do: plain tasks and trees, how often each was started, and what must come of it. */

import assert from 'node:assert/strict'

import { type DurableExecutor, type DurableTask, type DurableTaskHandle } from '../../src/index.ts'
import { type EngineWorld } from '../../src/testing/conformance/engine/world.ts'

/** What a task is given: a mark to tell it by, ballast to be stored with it, and how long its output is to be. */
type Given = { mark: number; ballast: string; outputLength: number }

/** The tasks of one executor. */
export type Work = {
  plain: DurableTask<Given, string>
  tree: DurableTask<Given, number>
  /** How often the function of an execution was called. */
  starts: Map<string, number>
}

const CHILDREN = 3

/** Defines the tasks on the executor; those of several may share their counts. */
export function defineWork(executor: DurableExecutor, starts = new Map<string, number>()): Work {
  const count = (executionId: string): void => {
    starts.set(executionId, (starts.get(executionId) ?? 0) + 1)
  }
  const plain = executor.task({
    id: 'plain',
    timeoutMs: 60_000,
    retryOptions: { maxAttempts: 2, baseDelayMs: 1_000, delayMultiplier: 2, maxDelayMs: 60_000 },
    run: (ctx, given: Given) => {
      count(ctx.executionId)
      return plainOutput(given)
    },
  })
  const tree = executor.parentTask<Given, number, number, string>({
    id: 'tree',
    timeoutMs: 60_000,
    runParent: (ctx, given) => {
      count(ctx.executionId)
      const childrenTasks = Array.from({ length: CHILDREN }, () => ({ task: plain, input: given }))
      return { output: given.mark, childrenTasks }
    },
    finalizeTask: {
      id: 'gather',
      timeoutMs: 60_000,
      run: (ctx, { output, childrenTasksOutputs }) => {
        count(ctx.executionId)
        return childrenTasksOutputs.reduce((sum, child) => sum + String(child.output).length, output)
      },
    },
  })
  return { plain, tree, starts }
}

function plainOutput({ mark, outputLength }: Given): string {
  return `${mark} `.padEnd(outputLength, 'o')
}

/** One enqueue: of which task, and with what. */
export type Order = { task: 'plain' | 'tree'; given: Given }

/** What the order's output must be. */
export function expectedOutput({ task, given }: Order): string | number {
  const output = plainOutput(given)
  return task === 'plain' ? output : given.mark + CHILDREN * output.length
}

/** Enqueues the order. */
export async function enqueue(
  executor: DurableExecutor,
  work: Work,
  { task, given }: Order,
): Promise<DurableTaskHandle<string | number>> {
  return task === 'plain'
    ? await executor.enqueueTask(work.plain, given)
    : await executor.enqueueTask(work.tree, given)
}

/** Waits for the end, and checks that it is what it must be. */
export async function assertDone(
  world: EngineWorld,
  handle: DurableTaskHandle<string | number>,
  order: Order,
): Promise<void> {
  const end = await world.finish(handle, 120_000)
  assert.equal(end.status, 'completed')
  assert.equal(end.output, expectedOutput(order))
}
