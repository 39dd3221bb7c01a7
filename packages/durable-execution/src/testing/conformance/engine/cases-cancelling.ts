/** Cases: cancelling one execution, in every status, from anywhere. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  createGate,
  defineEcho,
  defineGated,
  defineParentOf,
  untilAllClosed,
  untilStatus,
  untilTrue,
} from './trees.ts'

/** What cancelling does to a row. */
export const CANCELLING_CASES: ReadonlyArray<EngineConformanceCase> = [
  engineCase('cancel.at_once', 'a ready execution is cancelled at once, and never runs', async (world) => {
    const executor = world.newExecutor()
    let runs = 0
    const task = executor.task({
      id: 'task',
      timeoutMs: 60_000,
      sleepMsBeforeRun: 5_000,
      run: () => {
        runs += 1
      },
    })
    await executor.start()
    const handle = await executor.enqueueTask(task, undefined)
    assert.equal(await world.until(handle.cancel()), true)
    const execution = await handle.getTaskExecution()
    assert.equal(execution.status, 'cancelled')
    assert.equal(execution.error.getErrorType(), 'cancelled')
    assert.equal(execution.error.message, 'Task cancelled')
    assert.equal(execution.startedAt, undefined)
    await world.clock.advance(10_000)
    assert.equal(runs, 0)
  }),

  engineCase(
    'cancel.at_once',
    'a running execution is cancelled at once, whatever its function does',
    async (world) => {
      const executor = world.newExecutor()
      const { promise, resolve } = Promise.withResolvers<string>()
      const task = executor.task({ id: 'task', timeoutMs: 60_000, run: async () => await promise })
      await executor.start()
      const handle = await executor.enqueueTask(task, undefined)
      await untilStatus(world, handle, 'running')
      const startedAt = world.clock.monotonicNow()
      assert.equal(await world.until(handle.cancel()), true)
      assert.equal((await handle.getTaskExecution()).status, 'cancelled')
      assert.ok(world.clock.monotonicNow() - startedAt <= 50)
      resolve('too late')
    },
  ),

  engineCase(
    'cancel.at_once',
    'executions that wait for children or for their finalize task are cancelled at once',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const waiting = defineParentOf(executor, 'waiting', [
        { task: defineGated(executor, 'child', gate), input: 'x' },
      ])
      const finalizing = executor.parentTask({
        id: 'finalizing',
        timeoutMs: 60_000,
        runParent: () => ({ output: 1 }),
        finalizeTask: { id: 'finalize', timeoutMs: 60_000, run: (ctx) => gate.pass(ctx) },
      })
      await executor.start()
      for (const { id, status } of [
        { id: waiting.id, status: 'waiting_for_children_tasks' },
        { id: finalizing.id, status: 'waiting_for_finalize_task' },
      ] as const) {
        const handle = await executor.enqueueTask<undefined, unknown>({ id }, undefined)
        await untilStatus(world, handle, status)
        assert.equal(await world.until(handle.cancel()), true)
        assert.equal((await handle.getTaskExecution()).status, 'cancelled')
      }
      assert.ok((await untilAllClosed(world)).every((row) => row.status === 'cancelled'))
    },
  ),

  engineCase('cancel.finished', 'a finished execution is left alone', async (world) => {
    const executor = world.newExecutor()
    const task = defineEcho(executor, 'task')
    await executor.start()
    const handle = await executor.enqueueTask(task, 'x')
    await world.finish(handle)
    const before = await world.row(handle.getTaskExecutionId())
    assert.equal(await world.until(handle.cancel()), false)
    const after = await world.row(handle.getTaskExecutionId())
    assert.deepEqual({ ...after, updatedAt: 0 }, { ...before, updatedAt: 0 })
  }),

  engineCase(
    'cancel.twice',
    'cancelling twice is fine, and only the first call says that it cancelled',
    async (world) => {
      const executor = world.newExecutor()
      const task = defineEcho(executor, 'task')
      const handle = await executor.enqueueTask(task, 'x', { sleepMsBeforeRun: 1_000 })
      assert.equal(await world.until(handle.cancel()), true)
      const before = await world.row(handle.getTaskExecutionId())
      await world.clock.advance(1_000)
      assert.equal(await world.until(handle.cancel()), false)
      const after = await world.row(handle.getTaskExecutionId())
      assert.deepEqual(
        [after.status, after.error, after.finishedAt],
        [before.status, before.error, before.finishedAt],
      )
    },
  ),

  engineCase('cancel.twice', 'of many calls at once exactly one says that it cancelled', async (world) => {
    const executors = [world.newExecutor(), world.newExecutor()]
    const [task] = executors.map((executor) => defineEcho(executor, 'task'))
    assert.ok(task && executors[0] && executors[1])
    const handle = await executors[0].enqueueTask(task, 'x', { sleepMsBeforeRun: 1_000 })
    const other = await executors[1].getTaskHandle(task, handle.getTaskExecutionId())
    const answers = await world.until(
      Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? handle : other).cancel())),
    )
    assert.equal(answers.filter((isCancelled) => isCancelled).length, 1)
  }),

  engineCase(
    'cancel.after_enqueue',
    'a cancel right after the enqueue says so, and what it cancelled never completes',
    async (world) => {
      const executor = world.newExecutor()
      const task = defineEcho(executor, 'task')
      await executor.start()
      const handles = await Promise.all(
        Array.from({ length: 20 }, (_, index) => executor.enqueueTask(task, index)),
      )
      const answers = await world.until(Promise.all(handles.map((handle) => handle.cancel())))
      await world.clock.advance(5_000)
      for (const [index, handle] of handles.entries()) {
        const { status } = await handle.getTaskExecution()
        assert.equal(status, answers[index] === true ? 'cancelled' : 'completed')
      }
    },
  ),

  engineCase(
    'cancel.retry',
    'an execution that waits for its retry is cancelled, and not tried again',
    async (world) => {
      const executor = world.newExecutor()
      let runs = 0
      const task = executor.task({
        id: 'task',
        timeoutMs: 60_000,
        retryOptions: { maxAttempts: 5, baseDelayMs: 10_000 },
        run: () => {
          runs += 1
          throw new Error('again')
        },
      })
      await executor.start()
      const handle = await executor.enqueueTask(task, undefined)
      await untilTrue(world, () => runs === 1)
      await untilStatus(world, handle, 'ready')
      assert.equal(await world.until(handle.cancel()), true)
      await world.clock.advance(30_000)
      assert.equal(runs, 1)
      assert.equal((await handle.getTaskExecution()).status, 'cancelled')
    },
  ),
]
