/** Parents, closing, cancelling and waiting over every storage. */

import { createInMemoryStorage, DurableExecutor } from 'durable-execution'
import { expect, test } from 'vitest'

import { runThemeEverywhere } from './run-themes.ts'

runThemeEverywhere('trees')

test('on memory a cancel right after the enqueue wins: the function is never called', async () => {
  const executor = new DurableExecutor(createInMemoryStorage(), { logger: null })
  let calls = 0
  const task = executor.task({
    id: 'task',
    timeoutMs: 1_000,
    run: () => {
      calls += 1
    },
  })
  await executor.start()
  for (let round = 0; round < 50; round += 1) {
    const handle = await executor.enqueueTask(task, undefined)
    expect(await handle.cancel()).toBe(true)
    expect((await handle.waitAndGetTaskFinishedExecution()).status).toBe('cancelled')
  }
  await executor.shutdown()
  expect(calls).toBe(0)
})
