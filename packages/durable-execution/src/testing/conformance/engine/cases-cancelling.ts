/** Cases: cancelling one execution, in every status, from anywhere. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  createGate,
  defineEcho,
  defineGated,
  defineParentOf,
  outputOf,
  untilAllClosed,
  untilStatus,
  untilTrue,
} from './trees.ts'

const statusCases: Array<EngineConformanceCase> = [
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

  engineCase('cancel.at_once', 'a running execution is cancelled at once, whatever its function does', async (world) => {
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
  }),

  engineCase('cancel.at_once', 'executions that wait for children or for their finalize task are cancelled at once', async (world) => {
    const executor = world.newExecutor()
    const gate = createGate()
    const waiting = defineParentOf(executor, 'waiting', [{ task: defineGated(executor, 'child', gate), input: 'x' }])
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
  }),

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

  engineCase('cancel.twice', 'cancelling twice is fine, and only the first call says that it cancelled', async (world) => {
    const executor = world.newExecutor()
    const task = defineEcho(executor, 'task')
    const handle = await executor.enqueueTask(task, 'x', { sleepMsBeforeRun: 1_000 })
    assert.equal(await world.until(handle.cancel()), true)
    const before = await world.row(handle.getTaskExecutionId())
    await world.clock.advance(1_000)
    assert.equal(await world.until(handle.cancel()), false)
    const after = await world.row(handle.getTaskExecutionId())
    assert.deepEqual([after.status, after.error, after.finishedAt], [before.status, before.error, before.finishedAt])
  }),

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

  engineCase('cancel.after_enqueue', 'a cancel right after the enqueue says so, and what it cancelled never completes', async (world) => {
    const executor = world.newExecutor()
    const task = defineEcho(executor, 'task')
    await executor.start()
    const handles = await Promise.all(Array.from({ length: 20 }, (_, index) => executor.enqueueTask(task, index)))
    const answers = await world.until(Promise.all(handles.map((handle) => handle.cancel())))
    await world.clock.advance(5_000)
    for (const [index, handle] of handles.entries()) {
      const { status } = await handle.getTaskExecution()
      assert.equal(status, answers[index] === true ? 'cancelled' : 'completed')
    }
  }),

  engineCase('cancel.retry', 'an execution that waits for its retry is cancelled, and not tried again', async (world) => {
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
  }),
]

const signalCases: Array<EngineConformanceCase> = [
  engineCase('cancel.fires_signal', 'a cancel fires the signal of the run, and aborts with a cancelled error', async (world) => {
    const executor = world.newExecutor()
    let reason: unknown
    const task = executor.task({
      id: 'task',
      timeoutMs: 60_000,
      run: async (ctx) => {
        await new Promise<void>((resolve) => {
          ctx.abortSignal.addEventListener('abort', () => {
            reason = ctx.abortSignal.reason
            resolve()
          })
        })
      },
    })
    await executor.start()
    const handle = await executor.enqueueTask(task, undefined)
    await untilTrue(world, () => executor.getRunningTaskExecutionIds().size === 1)
    const cancelledAt = world.clock.monotonicNow()
    await world.until(handle.cancel())
    await world.clock.settle()
    assert.ok(world.clock.monotonicNow() - cancelledAt <= 50)
    assert.equal((reason as Error).name, 'DurableExecutionCancelledError')
    assert.equal(executor.getRunningTaskExecutionIds().size, 0)
  }),

  engineCase('cancel.elsewhere', 'a cancel reaches the executor that runs it elsewhere within a second', async (world) => {
    const runner = world.newExecutor()
    const gate = createGate()
    const task = defineGated(runner, 'task', gate)
    const client = world.newExecutor()
    defineGated(client, 'task', gate)
    await runner.start()
    const handle = await client.enqueueTask(task, 'x')
    await untilTrue(world, () => gate.arrivedIds.length === 1)
    const cancelledAt = world.clock.monotonicNow()
    assert.equal(await world.until(handle.cancel()), true)
    await untilTrue(world, () => gate.toldToStopIds.length === 1)
    assert.ok(world.clock.monotonicNow() - cancelledAt <= 1_050)
  }),

  engineCase('cancel.elsewhere', 'a cancel still arrives within a second when several runs began at once after a pause', async (world) => {
    const runner = world.newExecutor()
    const gate = createGate()
    const task = defineGated(runner, 'task', gate)
    const echo = defineEcho(runner, 'echo')
    const client = world.newExecutor()
    defineGated(client, 'task', gate)
    await runner.start()
    await world.finish(await runner.enqueueTask(echo, 1))
    await world.clock.advance(5_000)
    const handles = await Promise.all(['a', 'b', 'c', 'd'].map((input) => client.enqueueTask(task, input)))
    await untilTrue(world, () => gate.arrivedIds.length === 4)
    const cancelledAt = world.clock.monotonicNow()
    await world.until(Promise.all(handles.map((handle) => handle.cancel())))
    await untilTrue(world, () => gate.toldToStopIds.length === 4)
    assert.ok(world.clock.monotonicNow() - cancelledAt <= 1_050)
  }),

  engineCase('cancel.late_result', 'what a cancelled run returns or throws later is ignored', async (world) => {
    const executor = world.newExecutor()
    const ends: Array<() => void> = []
    const task = executor.task({
      id: 'task',
      timeoutMs: 60_000,
      retryOptions: { maxAttempts: 3 },
      run: async (_ctx, isThrowing: boolean) => {
        await new Promise<void>((resolve) => {
          ends.push(resolve)
        })
        if (isThrowing) {
          throw new Error('too late')
        }
        return 'too late'
      },
    })
    await executor.start()
    const handles = [await executor.enqueueTask(task, false), await executor.enqueueTask(task, true)]
    await untilTrue(world, () => ends.length === 2)
    for (const handle of handles) {
      await world.until(handle.cancel())
    }
    for (const end of ends) {
      end()
    }
    await world.clock.advance(5_000)
    for (const handle of handles) {
      const row = await world.row(handle.getTaskExecutionId())
      assert.deepEqual([row.status, row.output, row.error?.message], ['cancelled', undefined, 'Task cancelled'])
    }
    assert.equal(ends.length, 2)
  }),

  engineCase('cancel.late_result', 'a parent that is cancelled while it runs gets no children', async (world) => {
    const executor = world.newExecutor()
    const echo = defineEcho(executor, 'echo')
    const { promise, resolve } = Promise.withResolvers<void>()
    let isRunning = false
    const parent = executor.parentTask({
      id: 'parent',
      timeoutMs: 60_000,
      runParent: async () => {
        isRunning = true
        await promise
        return { output: 1, childrenTasks: [{ task: echo, input: 1 }] }
      },
    })
    await executor.start()
    const handle = await executor.enqueueTask(parent, undefined)
    await untilTrue(world, () => isRunning)
    await world.until(handle.cancel())
    resolve()
    await world.clock.advance(5_000)
    assert.equal((await world.rows()).length, 1)
  }),

  engineCase('cancel.frees_slot', 'a cancelled function that does not stop gives up its slot after a second', async (world) => {
    const executor = world.newExecutor({ maxConcurrentTaskExecutions: 1 })
    const deaf = executor.task({ id: 'deaf', timeoutMs: 3_600_000, run: () => new Promise<void>(() => {}) })
    const echo = defineEcho(executor, 'echo')
    await executor.start()
    const handle = await executor.enqueueTask(deaf, undefined)
    await untilTrue(world, () => executor.getRunningTaskExecutionIds().size === 1)
    const next = await executor.enqueueTask(echo, 'x')
    await world.until(handle.cancel())
    assert.equal(executor.getRunningTaskExecutionIds().has(handle.getTaskExecutionId()), true)
    assert.equal(outputOf(await world.finish(next, 3_000)), 'x')
    assert.equal(executor.getRunningTaskExecutionIds().size, 0)
  }),
]

/** What cancelling one execution does. */
export const CANCELLING_CASES: ReadonlyArray<EngineConformanceCase> = [...statusCases, ...signalCases]
