/** How many statements the work of an executor takes, whatever counts them. */

import { DurableExecutor, type DurableStorage } from '../../src/index.ts'

const QUIET = { debug: () => {}, info: () => {}, error: () => {} }

/** The texts of statements that were sent, in their order. */
export type Sent = Array<string>

/** Enqueues so many plain tasks at once, one before them, then runs them all; gives what was sent for each of the two. */
export async function sentForPlainTasks(
  storage: DurableStorage,
  sent: Sent,
  count: number,
): Promise<{ enqueueing: Sent; running: Sent }> {
  const executor = new DurableExecutor(storage, { logger: QUIET, maxConcurrentTaskExecutions: 500 })
  const task = executor.task({ id: 'plain', timeoutMs: 60_000, run: (_ctx, input: number) => input })
  // The first of an executor asks the storage's clock, and sets up what is missing.
  await executor.enqueueTask(task, 0)
  sent.length = 0
  const handles = await Promise.all(
    Array.from({ length: count }, (_, index) => executor.enqueueTask(task, index)),
  )
  const enqueueing = sent.splice(0)
  await executor.start()
  await Promise.all(handles.map((handle) => handle.waitAndGetTaskFinishedExecution()))
  const running = sent.splice(0)
  await executor.shutdown()
  return { enqueueing, running }
}

/** Runs a parent with so many children to its end; gives what was sent. */
export async function sentForFanOut(storage: DurableStorage, sent: Sent, count: number): Promise<Sent> {
  const executor = new DurableExecutor(storage, { logger: QUIET, maxConcurrentTaskExecutions: 500 })
  const child = executor.task({ id: 'child', timeoutMs: 60_000, run: (_ctx, input: number) => input })
  const parent = executor.parentTask({
    id: 'parent',
    timeoutMs: 60_000,
    runParent: () => ({
      output: count,
      childrenTasks: Array.from({ length: count }, (_, index) => ({ task: child, input: index })),
    }),
  })
  await executor.start()
  sent.length = 0
  const handle = await executor.enqueueTask(parent, undefined)
  sent.length = 0
  await handle.waitAndGetTaskFinishedExecution()
  const all = sent.splice(0)
  await executor.shutdown()
  return all
}

/** How many of the statements begin with the word. */
export function countOf(sent: Sent, word: string): number {
  return sent.filter((text) => text.startsWith(word)).length
}
