/** Cases: many executions of one task enqueued in one call. */

import assert from 'node:assert/strict'

import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { quickTask, untilTrue } from './lives.ts'

export const ENQUEUE_MANY_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'many.in_order',
    'many enqueued at once are as many executions, in the order given',
    async (world) => {
      const executor = world.newExecutor()
      const ran: Array<unknown> = []
      const task = quickTask(executor, 'work', (_ctx, input) => {
        ran.push(input)
        return input
      })
      // More than one insert holds; most of them are not due, since some storages read all of their rows at each call.
      const inputs = Array.from({ length: 1_005 }, (_, index) =>
        index < 20 ? index : { input: index, options: { sleepMsBeforeRun: 3_600_000 } },
      )
      const handles = await world.until(executor.enqueueTasks(task, inputs))
      assert.equal(new Set(handles.map((handle) => handle.getTaskExecutionId())).size, 1_005)
      for (const at of [0, 999, 1_000, 1_004]) {
        const view = await world.until(
          handles[at]?.getTaskExecution() ?? Promise.reject(new Error('no handle')),
        )
        assert.equal(view.runInput, at)
      }
      await world.until(executor.start())
      await untilTrue(world, () => ran.length === 20)
      assert.deepEqual(ran, inputs.slice(0, 20))
    },
  ),

  engineCase(
    'many.in_order',
    'an input may have options of its own, which take the place of those of the call',
    async (world) => {
      const executor = world.newExecutor()
      const task = quickTask(executor, 'work')
      const handles = await world.until(
        executor.enqueueTasks(
          task,
          [
            'plain',
            { input: 'own', options: { timeoutMs: 7 } },
            { input: 'none', options: undefined },
            { input: 'an input by itself' },
            { input: 1, options: 2, more: 3 },
            null,
          ],
          { sleepMsBeforeRun: 60_000, timeoutMs: 5 },
        ),
      )
      const views = await world.until(Promise.all(handles.map((handle) => handle.getTaskExecution())))
      assert.deepEqual(
        views.map(({ runInput, timeoutMs, sleepMsBeforeRun }) => [runInput, timeoutMs, sleepMsBeforeRun]),
        [
          ['plain', 5, 60_000],
          ['own', 7, 60_000],
          ['none', 5, 60_000],
          [{ input: 'an input by itself' }, 5, 60_000],
          [{ input: 1, options: 2, more: 3 }, 5, 60_000],
          [null, 5, 60_000],
        ],
      )
    },
  ),

  engineCase('many.all_or_none', 'none is enqueued if one input is refused', async (world) => {
    const executor = world.newExecutor({ maxPayloadBytes: 1_000 })
    const checked = executor
      .validateInput<number, unknown>((input) => {
        assert.ok(typeof input === 'number', 'not a number')
        return input
      })
      .task({ id: 'checked', timeoutMs: 1_000, run: (_ctx, input) => input })
    const work = quickTask(executor, 'work')
    for (const call of [
      async () => await executor.enqueueTasks(checked, [1, 2, 'three']),
      async () => await executor.enqueueTasks(work, [1, () => {}]),
      async () => await executor.enqueueTasks(work, [1, 'x'.repeat(1_001)]),
      async () => await executor.enqueueTasks(work, [1, { input: 2, options: { timeoutMs: 0 } }]),
      async () => await executor.enqueueTasks(work, [1, { input: 2, options: { transaction: {} } }]),
      async () => await executor.enqueueTasks(work, [], { timeoutMs: NaN }),
      async () => await executor.enqueueTasks(work, 'abc' as never),
      async () => await executor.enqueueTasks(work, Array.from({ length: 100_001 })),
      async () => await executor.enqueueTasks({ id: 'unknown' }, [1]),
    ]) {
      await assert.rejects(world.until(call()), { name: 'DurableExecutionError', isRetryable: false })
    }
    assert.deepEqual(await world.rows(), [])
    assert.deepEqual(await world.until(executor.enqueueTasks(work, [])), [])
  }),

  engineCase(
    'many.tried_again',
    'all or none are there whatever becomes of the transaction, and all run once',
    async (world) => {
      for (const fault of ['lost_request', 'lost_reply', 'lost_in_between'] as const) {
        const storage = createFaultyStorage(world.storage)
        const executor = world.newExecutor({ storage })
        const ran: Array<unknown> = []
        const task = quickTask(executor, 'work', (_ctx, input) => ran.push(input))
        await world.until(executor.start())
        await world.clock.settle()
        let faults = 1
        storage.failAtCommitWhen(({ operations }) =>
          operations.includes('insertTaskExecutions') && faults-- > 0 ? fault : undefined,
        )
        const inputs = Array.from({ length: 150 }, (_, index) => index)
        const handles = await world.until(executor.enqueueTasks(task, inputs))
        await world.until(Promise.all(handles.map((handle) => handle.waitAndGetTaskFinishedExecution())))
        assert.deepEqual(
          ran.toSorted((a, b) => Number(a) - Number(b)),
          inputs,
          fault,
        )
        await world.until(executor.shutdown())
      }
    },
  ),
]
