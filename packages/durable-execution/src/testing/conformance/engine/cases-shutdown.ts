/** Cases: an executor starts, and stops in every way there is. */

import assert from 'node:assert/strict'

import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  createAbsentStorage,
  createGate,
  latest,
  quickTask,
  untilRow,
  untilTrue,
  waitingTask,
  withCallListener,
} from './lives.ts'
import { assertRefused } from './refusals.ts'
import { kindOf } from './transaction-kinds.ts'

export const SHUTDOWN_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'shutdown.refusals',
    'after shutdown new tasks, enqueues and starts are refused',
    async (world) => {
      const executor = world.newExecutor()
      const task = quickTask(executor, 'work')
      await world.until(executor.start())
      const shutdown = executor.shutdown()
      const schema = executor.validateInput((input: unknown) => input)
      for (const call of [
        () => quickTask(executor, 'another'),
        () => executor.parentTask({ id: 'parent', timeoutMs: 1, runParent: () => ({ output: 1 }) }),
        () => schema.task({ id: 'checked', timeoutMs: 1, run: () => 1 }),
        () => executor.sequentialTasks(task),
        async () => await executor.enqueueTask(task, 1),
        async () => await executor.start(),
      ]) {
        await assertRefused(call, 'Executor shutdown')
      }
      await world.until(shutdown)
      await assertRefused(async () => await executor.start(), 'Executor shutdown')
    },
  ),

  engineCase(
    'shutdown.waits',
    'shutdown tells the runs, takes nothing new, and waits for what runs',
    async (world) => {
      const executor = world.newExecutor({ maxConcurrentTaskExecutions: 1 })
      const { task, started } = waitingTask(executor, 'work')
      await world.until(executor.start())
      const first = await executor.enqueueTask(task, 1)
      const second = await executor.enqueueTask(task, 2)
      await untilTrue(world, () => started.length === 1)
      const run = latest(started)
      const shutdown = executor.shutdown()
      assert.ok(run.ctx.shutdownSignal.isCancelled())
      await world.clock.advance('1s')
      run.gate.open('done')
      await world.until(shutdown)
      assert.equal((await world.row(first.getTaskExecutionId())).status, 'completed')
      assert.equal((await world.row(second.getTaskExecutionId())).status, 'ready')
    },
  ),

  engineCase(
    'shutdown.waits_without_limit',
    'without graceMs shutdown waits as long as a run takes',
    async (world) => {
      const executor = world.newExecutor()
      const { task, started } = waitingTask(executor, 'work', { timeoutMs: 10 * 3_600_000 })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, 1)
      await untilTrue(world, () => started.length === 1)
      let isDone = false
      const shutdown = executor.shutdown().then(() => {
        isDone = true
      })
      await world.clock.advance('10m')
      assert.equal(isDone, false)
      assert.equal(latest(started).ctx.cancelSignal.isCancelled(), false)
      latest(started).gate.open('at last')
      await world.until(shutdown)
      const { status } = await handle.getTaskExecution()
      assert.equal(status, 'completed')
    },
  ),

  engineCase(
    'shutdown.grace',
    'after graceMs the runs are told to stop, and a second later given back without a loss',
    async (world) => {
      const executor = world.newExecutor()
      const { task, started } = waitingTask(executor, 'work', { maxAttempts: 2 })
      await world.until(executor.start())
      const id = (await executor.enqueueTask(task, 1)).getTaskExecutionId()
      await untilTrue(world, () => started.length === 1)
      const run = latest(started)
      const shutdown = executor.shutdown({ graceMs: 5_000 })
      await world.clock.advance(4_950)
      assert.equal(run.ctx.cancelSignal.isCancelled(), false)
      await world.clock.advance(100)
      assert.equal(run.ctx.cancelSignal.isCancelled(), true)
      assert.equal((await world.row(id)).status, 'running')
      await world.until(shutdown, 2_000)
      const row = await world.row(id)
      assert.deepEqual(
        [row.status, row.retryAttempts, row.losses ?? 0, row.error],
        ['ready', 0, 0, undefined],
      )
      assert.equal(executor.getRunningTaskExecutionIds().size, 0)
      const other = world.newExecutor()
      const same = quickTask(other, 'work', () => 'by another')
      await world.until(other.start())
      const end = await world.finish(await other.getTaskHandle(same, id), 2_000)
      run.gate.open('too late')
      await world.clock.settle()
      assert.equal(end.status === 'completed' && end.output, 'by another')
    },
  ),

  engineCase(
    'shutdown.obedient_run',
    'a run that obeys and throws when told to stop loses no attempt',
    async (world) => {
      const executor = world.newExecutor()
      const task = executor.task({
        id: 'work',
        timeoutMs: 60_000,
        run: async (ctx): Promise<void> => {
          const gate = createGate()
          ctx.abortSignal.addEventListener('abort', () => gate.fail(ctx.abortSignal.reason))
          await gate.promise
        },
      })
      await world.until(executor.start())
      const id = (await executor.enqueueTask(task, 1)).getTaskExecutionId()
      await untilRow(world, id, ({ status }) => status === 'running')
      await world.until(executor.shutdown({ graceMs: 100 }), 1_000)
      const row = await world.row(id)
      assert.deepEqual([row.status, row.retryAttempts, row.error], ['ready', 0, undefined])
    },
  ),

  engineCase(
    'shutdown.finished_in_grace',
    'what a run returns within the last second counts',
    async (world) => {
      const executor = world.newExecutor()
      const { task, started } = waitingTask(executor, 'work')
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, 1)
      await untilTrue(world, () => started.length === 1)
      const run = latest(started)
      run.ctx.cancelSignal.onCancelled(() => run.gate.open('saved'))
      await world.until(executor.shutdown({ graceMs: 100 }), 1_000)
      const end = await handle.getTaskExecution()
      assert.equal(end.status === 'completed' && end.output, 'saved')
    },
  ),

  engineCase(
    'shutdown.bounded',
    'with graceMs shutdown ends within two seconds more, even if the storage is away or hangs',
    async (world) => {
      for (const how of ['refuses', 'hangs'] as const) {
        const storage = createAbsentStorage(world.storage)
        const executor = world.newExecutor({ storage })
        const { task, started } = waitingTask(executor, 'work')
        await world.until(executor.start())
        await executor.enqueueTask(task, 1)
        await untilTrue(world, () => started.length > 0)
        storage.leave(how)
        await world.clock.advance('1s')
        const askedAt = world.clock.monotonicNow()
        await world.until(executor.shutdown({ graceMs: 1_000 }), 60_000)
        const tookMs = world.clock.monotonicNow() - askedAt
        assert.ok(tookMs <= 3_050, `it took ${tookMs} ms while the storage ${how}`)
        storage.comeBack()
        await world.clock.advance('1m')
      }
    },
  ),

  engineCase(
    'shutdown.claim_in_flight',
    'a claim that is answered after shutdown began is given back, and nothing of it runs',
    async (world) => {
      for (const fault of ['slow', 'lost_reply'] as const) {
        const faulty = createFaultyStorage(world.storage)
        const gate = createGate()
        let isHeld = false
        const storage = withCallListener(faulty, () => {})
        const real = storage.withTransaction
        storage.withTransaction = async (fn, hint) => {
          const before = faulty.traces().length
          const answer = real(fn, hint)
          if (isHeld) {
            await answer.catch(() => {})
            if (kindOf(faulty.traces()[before] ?? { index: 0, operations: [], calls: [] }) === 'claim') {
              await gate.promise
            }
          }
          return await answer
        }
        const client = world.newExecutor()
        const task = quickTask(client, 'work')
        const executor = world.newExecutor({ storage })
        const { started } = waitingTask(executor, 'work')
        await world.until(executor.start())
        await world.clock.advance('1s')
        isHeld = true
        if (fault === 'lost_reply') {
          faulty.failAtCommitWhen((trace) => (kindOf(trace) === 'claim' ? 'lost_reply' : undefined))
        }
        const id = (await client.enqueueTask(task, 1)).getTaskExecutionId()
        await untilRow(world, id, ({ status }) => status === 'running')
        const shutdown = executor.shutdown({ graceMs: 1_000 })
        await world.clock.settle()
        faulty.failAtCommitWhen(undefined)
        isHeld = false
        gate.open()
        await world.until(shutdown)
        assert.equal(started.length, 0)
        if ((await world.row(id)).leaseId !== undefined || fault === 'slow') {
          const row = await world.row(id)
          assert.deepEqual([row.status, row.retryAttempts, row.losses ?? 0], ['ready', 0, 0])
        }
        await world.until((await client.getTaskHandle(task, id)).cancel())
      }
    },
  ),

  engineCase('shutdown.twice', 'a second shutdown is harmless, at once and later', async (world) => {
    const executor = world.newExecutor()
    await world.until(executor.start())
    await world.until(Promise.all([executor.shutdown(), executor.shutdown({ graceMs: 1 })]))
    await world.until(executor.shutdown())
    await assertRefused(async () => await executor.shutdown({ graceMs: NaN }), /graceMs/)
  }),

  engineCase(
    'shutdown.never_started',
    'an executor that was never started can be shut down',
    async (world) => {
      await world.until(world.newExecutor().shutdown(), 1_000)
      await world.until(world.newExecutor().shutdown({ graceMs: 1_000 }), 1_000)
    },
  ),

  engineCase(
    'shutdown.handles',
    'handles go on working after shutdown, and the storage is open',
    async (world) => {
      const executor = world.newExecutor()
      const task = quickTask(executor, 'work')
      const handle = await executor.enqueueTask(task, 1)
      await world.until(executor.shutdown())
      assert.equal((await handle.getTaskExecution()).status, 'ready')
      assert.equal(
        (await (await executor.getTaskHandle(task, handle.getTaskExecutionId())).getTaskExecution()).status,
        'ready',
      )
      const wait = handle.waitAndGetTaskFinishedExecution()
      assert.equal(await world.until(handle.cancel()), true)
      assert.equal((await world.until(wait)).status, 'cancelled')
      assert.equal((await world.row(handle.getTaskExecutionId())).isClosed, true)
    },
  ),

  engineCase('start.once', 'a second start changes nothing', async (world) => {
    const executor = world.newExecutor()
    const { task, started } = waitingTask(executor, 'work')
    await world.until(Promise.all([executor.start(), executor.start()]))
    await world.until(executor.start())
    const handle = await executor.enqueueTask(task, 1)
    await world.clock.advance('5s')
    assert.equal(started.length, 1)
    latest(started).gate.open(1)
    await world.finish(handle)
  }),

  engineCase(
    'start.at_once',
    'start resolves as soon as the executor runs, whether the storage is there or not',
    async (world) => {
      const storage = createAbsentStorage(world.storage)
      storage.leave('hangs')
      const executor = world.newExecutor({ storage })
      await world.until(executor.start(), 100)
      storage.comeBack()
    },
  ),
]
