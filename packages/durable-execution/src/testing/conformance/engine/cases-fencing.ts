/** Cases: what becomes of the outcome of somebody who does not hold the row any more. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  createAbsentStorage,
  createGate,
  isWrite,
  latest,
  quickTask,
  untilRow,
  untilTrue,
  waitingTask,
  withCallListener,
} from './lives.ts'
import { type EngineWorld } from './world.ts'

/** Cancels an execution as another process does, whose hint is on its way. */
async function cancelUnheard(world: EngineWorld, executionId: string): Promise<void> {
  const { startedAt = new Date(NaN) } = await world.row(executionId)
  const cancelled = {
    status: 'cancelled',
    error: { errorType: 'cancelled', message: 'Task cancelled', isRetryable: false },
    needsPromiseCancellation: true,
    unsetExpiresAt: true,
    finishedAt: startedAt,
    updatedAt: startedAt,
  } as const
  await world.storage.withTransaction(
    async (tx) =>
      await tx.updateTaskExecutions({ type: 'by_execution_ids', executionIds: [executionId] }, cancelled),
  )
}

export const FENCING_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'lease.fenced',
    'the late outcome of a stalled executor is refused, and that of its successor stands',
    async (world) => {
      const storage = createAbsentStorage(world.storage)
      // Its own timers stand still, as those of a process do that is stopped.
      const stalled = world.newExecutor({ storage, expireMs: 4_000 })
      const { task, started: old } = waitingTask(stalled, 'work')
      await world.until(stalled.start())
      const id = (await stalled.enqueueTask(task, 1)).getTaskExecutionId()
      await untilTrue(world, () => old.length === 1)
      storage.leave('hangs')
      const successor = world.newExecutor({ expireMs: 4_000 })
      const { task: same, started } = waitingTask(successor, 'work')
      await world.until(successor.start())
      await untilTrue(world, () => started.length === 1, 60_000)
      storage.comeBack()
      latest(old).gate.open('of the past')
      await world.clock.advance('10s')
      assert.equal((await world.row(id)).status, 'running')
      latest(started).gate.open('of today')
      const end = await world.finish(await successor.getTaskHandle(same, id))
      assert.equal(end.status === 'completed' && end.output, 'of today')
    },
  ),

  engineCase(
    'lease.fenced',
    'the outcome of a run that somebody else cancelled is refused, though the run was not told, and told to nobody',
    async (world) => {
      const executor = world.newExecutor()
      const { task, started } = waitingTask(executor, 'work')
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, 1)
      await untilTrue(world, () => started.length === 1)
      const end = handle.waitAndGetTaskFinishedExecution()
      await world.clock.settle()
      await cancelUnheard(world, handle.getTaskExecutionId())
      assert.equal(latest(started).ctx.cancelSignal.isCancelled(), false)
      latest(started).gate.open('of the past')
      await world.clock.settle()
      assert.equal((await world.until(end)).status, 'cancelled')
      assert.equal((await world.row(handle.getTaskExecutionId())).output, undefined)
    },
  ),

  engineCase(
    'lease.fenced',
    'the children of a run that somebody else cancelled do not appear',
    async (world) => {
      const executor = world.newExecutor()
      const child = quickTask(executor, 'child', () => 'never')
      const gate = createGate()
      let isRunning = false
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 60_000,
        runParent: async () => {
          isRunning = true
          await gate.promise
          return { output: 'of the past', childrenTasks: [{ task: child, input: 1 }] }
        },
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(parent, undefined)
      await untilTrue(world, () => isRunning)
      await cancelUnheard(world, handle.getTaskExecutionId())
      gate.open()
      await world.clock.settle()
      assert.equal((await world.finish(handle)).status, 'cancelled')
      assert.equal((await world.rows()).length, 1)
    },
  ),

  engineCase(
    'lease.fenced',
    'the last child of a parent that somebody else cancelled completes, and the parent stays cancelled',
    async (world) => {
      const executor = world.newExecutor()
      const { task: child, started } = waitingTask(executor, 'child')
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 60_000,
        runParent: () => ({ output: 'of the parent', childrenTasks: [{ task: child, input: 1 }] }),
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(parent, undefined)
      await untilTrue(world, () => started.length === 1)
      await cancelUnheard(world, handle.getTaskExecutionId())
      latest(started).gate.open('in time')
      await world.clock.settle()
      assert.equal((await world.row(latest(started).ctx.executionId)).status, 'completed')
      assert.equal((await world.finish(handle)).status, 'cancelled')
    },
  ),

  engineCase(
    'lease.zombie_cannot_renew',
    'a renewal that is sent late does not keep the successor’s lease',
    async (world) => {
      const gate = createGate()
      let isHeld = false
      const storage = withCallListener(world.storage, () => {})
      const real = storage.withTransaction
      storage.withTransaction = async (fn, hint) => {
        if (isHeld) {
          await gate.promise
        }
        return await real(fn, hint)
      }
      const zombie = world.newExecutor({ storage, expireMs: 4_000 })
      const { task, started: old } = waitingTask(zombie, 'work')
      await world.until(zombie.start())
      const id = (await zombie.enqueueTask(task, 1)).getTaskExecutionId()
      await untilTrue(world, () => old.length === 1)
      isHeld = true
      await world.clock.advance('3900ms')
      const mortal = world.newExecutor({ expireMs: 4_000 })
      const { started } = waitingTask(mortal, 'work')
      await world.until(mortal.start())
      await untilTrue(world, () => started.length === 1, 20_000)
      const before = await world.row(id)
      world.kill(mortal)
      isHeld = false
      gate.open()
      await world.clock.settle()
      const after = await world.row(id)
      assert.equal(after.startedAt?.getTime(), before.startedAt?.getTime())
      assert.equal(after.expiresAt?.getTime(), before.expiresAt?.getTime())
      assert.equal(latest(old).ctx.cancelSignal.isCancelled(), true)
      latest(old).gate.open('of the zombie')
      await untilTrue(world, () => old.length === 2, 20_000)
      latest(old).gate.open('of the living')
      const end = await world.finish(await zombie.getTaskHandle(task, id))
      assert.equal(end.status === 'completed' && end.output, 'of the living')
    },
  ),

  engineCase(
    'lease.zombie_cannot_renew',
    'a run whose row somebody else holds is told to stop at its next renewal',
    async (world) => {
      const executor = world.newExecutor({ expireMs: 60_000 })
      const { task, started } = waitingTask(executor, 'work')
      await world.until(executor.start())
      const id = (await executor.enqueueTask(task, 1)).getTaskExecutionId()
      await untilTrue(world, () => started.length === 1)
      // As a recovery and a claim leave it that come too early, by a clock that is ahead.
      const { startedAt, expiresAt, updatedAt } = await world.row(id)
      assert.ok(startedAt !== undefined && expiresAt !== undefined)
      const others = {
        startedAt: new Date(startedAt.getTime() + 1),
        expiresAt: new Date(expiresAt.getTime() + 3_600_000),
        leaseId: 'of somebody else',
        updatedAt,
      }
      await world.storage.withTransaction(
        async (tx) => await tx.updateTaskExecutions({ type: 'by_execution_ids', executionIds: [id] }, others),
      )
      assert.equal(latest(started).ctx.cancelSignal.isCancelled(), false)
      await world.clock.advance('25s')
      assert.equal(latest(started).ctx.cancelSignal.isCancelled(), true)
      latest(started).gate.open('of the past')
      await world.clock.settle()
      assert.equal((await world.row(id)).startedAt?.getTime(), others.startedAt.getTime())
      assert.equal((await world.row(id)).expiresAt?.getTime(), others.expiresAt.getTime())
    },
  ),

  engineCase(
    'lease.none_begins_late',
    'what was claimed by an answer that came later than its lease lasts is not begun under that lease',
    async (world) => {
      const answer = createGate()
      let isClaimed = false
      const storage = withCallListener(world.storage, () => {})
      storage.withTransaction = async (fn, hint) => {
        let hasWritten = false
        const listened = withCallListener(world.storage, (call) => {
          hasWritten ||= isWrite(call)
        })
        const result = await listened.withTransaction(fn, hint)
        if (hasWritten && !isClaimed && (await world.rows()).some(({ status }) => status === 'running')) {
          isClaimed = true
          await answer.promise
        }
        return result
      }
      const late = world.newExecutor({ storage, expireMs: 4_000 })
      const { task, started } = waitingTask(late, 'work')
      const handle = await world.until(late.enqueueTask(task, 1))
      await world.until(late.start())
      await untilTrue(world, () => isClaimed)
      await untilRow(world, handle.getTaskExecutionId(), ({ status }) => status === 'ready', 25_000)
      answer.open()
      await untilTrue(world, () => started.length > 0, 60_000)
      await world.clock.settle()
      assert.equal((await world.row(handle.getTaskExecutionId())).status, 'running')
      assert.equal(latest(started).ctx.cancelSignal.isCancelled(), false)
      latest(started).gate.open('in time')
      assert.equal((await world.finish(handle)).status, 'completed')
      assert.equal(started.length, 1)
    },
  ),

  engineCase(
    'lease.later_started_at',
    'each claim has a later startedAt and a lease of its own, even if the clock stands still',
    async (world) => {
      const executor = world.newExecutor()
      const seen: Array<string> = []
      const task = executor.task({
        id: 'work',
        timeoutMs: 1_000,
        retryOptions: { maxAttempts: 4 },
        run: async (ctx): Promise<string> => {
          const row = await world.row(ctx.executionId)
          seen.push(`${row.startedAt?.toISOString()} ${row.leaseId ?? row.startedAt?.getTime()}`)
          throw new Error('again')
        },
      })
      await world.until(executor.start())
      await world.finish(await executor.enqueueTask(task, 1))
      assert.equal(seen.length, 5)
      assert.deepEqual(seen.toSorted(), seen)
      assert.equal(new Set(seen.map((one) => one.split(' ')[0])).size, 5)
      assert.equal(new Set(seen.map((one) => one.split(' ')[1])).size, 5)
    },
  ),

  engineCase(
    'lease.one_outcome',
    'of two executors that ran an execution one outcome is accepted, and it never changes',
    async (world) => {
      const storage = createAbsentStorage(world.storage)
      const stalled = world.newExecutor({ storage, expireMs: 3_000 })
      const { task, started: old } = waitingTask(stalled, 'work')
      await world.until(stalled.start())
      const id = (await stalled.enqueueTask(task, 1)).getTaskExecutionId()
      await untilTrue(world, () => old.length === 1)
      storage.leave('refuses')
      const successor = world.newExecutor({ expireMs: 3_000 })
      const same = quickTask(successor, 'work', () => 'of the successor')
      await world.until(successor.start())
      await world.finish(await successor.getTaskHandle(same, id))
      const before = await world.row(id)
      latest(old).gate.open('of the stalled')
      storage.comeBack()
      await world.clock.advance('30s')
      const after = await world.row(id)
      for (const field of ['status', 'output', 'error', 'finishedAt', 'startedAt'] as const) {
        assert.deepEqual(after[field], before[field])
      }
    },
  ),
]
