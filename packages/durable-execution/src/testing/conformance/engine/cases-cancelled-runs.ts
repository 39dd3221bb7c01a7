/** Cases: how a run hears that it was cancelled, and what becomes of what it does then. */

import assert from 'node:assert/strict'

import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { latest, waitingTask } from './lives.ts'
import { createGate, defineEcho, defineGated, outputOf, untilTrue } from './trees.ts'

/** What cancelling does to a run. */
export const CANCELLED_RUNS_CASES: ReadonlyArray<EngineConformanceCase> = [
  engineCase(
    'cancel.fires_signal',
    'a cancel fires the signal of the run, and aborts with a cancelled error',
    async (world) => {
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
    },
  ),

  engineCase(
    'cancel.elsewhere',
    'a cancel reaches the executor that runs it elsewhere within a second',
    async (world) => {
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
    },
  ),

  engineCase(
    'cancel.elsewhere',
    'a cancel still arrives within a second when several runs began at once after a pause',
    async (world) => {
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
    },
  ),

  engineCase(
    'cancel.late_result',
    'what a cancelled run returns or throws later is ignored',
    async (world) => {
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
        assert.deepEqual(
          [row.status, row.output, row.error?.message],
          ['cancelled', undefined, 'Task cancelled'],
        )
      }
      assert.equal(ends.length, 2)
    },
  ),

  engineCase(
    'cancel.late_result',
    'a parent that is cancelled while it runs gets no children',
    async (world) => {
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
    },
  ),

  engineCase(
    'cancel.frees_slot',
    'a cancelled function that does not stop gives up its slot after a second',
    async (world) => {
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
    },
  ),

  engineCase(
    'cancel.repeated',
    'a cancel whose reply was lost says that it cancelled, though the clock of whoever runs it is ahead',
    async (world) => {
      const { clock } = world
      const runner = world.newExecutor({
        doors: { clock: { ...clock, now: (): number => clock.now() + 5_000 } },
      })
      const { started } = waitingTask(runner, 'work')
      await world.until(runner.start())
      const faulty = createFaultyStorage(world.storage)
      const client = world.newExecutor({ storage: faulty })
      const { task } = waitingTask(client, 'work')
      const handle = await world.until(client.enqueueTask(task, 1))
      await untilTrue(world, () => started.length === 1)
      let lost = 0
      faulty.failAtCommitWhen(() => {
        lost += 1
        return lost === 1 ? 'lost_reply' : undefined
      })
      assert.equal(await world.until(handle.cancel()), true)
      assert.ok(lost > 1, 'the cancel was not repeated')
      assert.equal(await world.until(handle.cancel()), false)
      latest(started).gate.open('too late')
    },
  ),
]
