/** Cases: who holds a row, how long, and what becomes of the outcome of somebody who does not. */

import assert from 'node:assert/strict'

import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  type Call,
  createAbsentStorage,
  createGate,
  latest,
  quickTask,
  untilRow,
  untilTrue,
  waitingTask,
  withCallListener,
} from './lives.ts'

/** Whether a call moves the leases of rows on. */
const isRenewal = ({ operation, args }: Call): boolean => {
  const update = args[1] as { expiresAt?: Date; status?: string } | undefined
  const batch = operation === 'updateTaskExecutionsBatch' ? (args[0] as Array<{ update: typeof update }>) : []
  return (
    operation === 'renewTaskExecutions' ||
    [update, ...batch.map((one) => one.update)].some(
      (one) => one?.expiresAt !== undefined && one.status === undefined,
    )
  )
}

export const LEASE_CASES: Array<EngineConformanceCase> = [
  engineCase('lease.written_with_claim', 'a claim writes a lease of the length of expireMs', async (world) => {
    const executor = world.newExecutor({ expireMs: 7_000 })
    const { task, started } = waitingTask(executor, 'work')
    await world.until(executor.start())
    const id = (await executor.enqueueTask(task, 1)).getTaskExecutionId()
    await untilTrue(world, () => started.length === 1)
    const row = await world.row(id)
    assert.equal((row.expiresAt?.getTime() ?? 0) - (row.startedAt?.getTime() ?? 0), 7_000)
    latest(started).gate.open(1)
    const after = await untilRow(world, id, ({ status }) => status === 'completed')
    assert.equal(after.expiresAt, undefined)
  }),

  engineCase('lease.renewed_every_third', 'leases are renewed about every third of expireMs', async (world) => {
    let renewals = 0
    const storage = withCallListener(world.storage, (call) => {
      renewals += isRenewal(call) ? 1 : 0
    })
    const executor = world.newExecutor({ storage, expireMs: 9_000 })
    const { task, started } = waitingTask(executor, 'work')
    await world.until(executor.start())
    await executor.enqueueTask(task, 1)
    await untilTrue(world, () => started.length === 1)
    await world.clock.advance('60s')
    assert.ok(renewals >= 17 && renewals <= 24, `${renewals} renewals in a minute`)
    latest(started).gate.open(1)
  }),

  engineCase('lease.failed_renewal_is_unknown', 'a run goes on while its renewals fail for a while', async (world) => {
    let isFailing = false
    const storage = withCallListener(world.storage, (call) => {
      if (isFailing && isRenewal(call)) {
        throw new Error('The lease could not be written')
      }
    })
    const executor = world.newExecutor({ storage, expireMs: 9_000 })
    const { task, started } = waitingTask(executor, 'work')
    await world.until(executor.start())
    const handle = await executor.enqueueTask(task, 1)
    await untilTrue(world, () => started.length === 1)
    isFailing = true
    await world.clock.advance('6s')
    isFailing = false
    await world.clock.advance('60s')
    assert.equal(latest(started).ctx.cancelSignal.isCancelled(), false)
    latest(started).gate.open('kept')
    const end = await world.finish(handle)
    assert.equal(end.status === 'completed' && end.output, 'kept')
    assert.equal(started.length, 1)
  }),

  engineCase('lease.hung_renewal_is_unknown', 'a run goes on while a renewal hangs', async (world) => {
    let isHanging = false
    const storage = createFaultyStorage(world.storage)
    storage.failAtCommitWhen((trace) =>
      isHanging && trace.calls.some(isRenewal) ? 'hang' : undefined,
    )
    const executor = world.newExecutor({ storage, expireMs: 9_000 })
    const { task, started } = waitingTask(executor, 'work')
    await world.until(executor.start())
    const handle = await executor.enqueueTask(task, 1)
    await untilTrue(world, () => started.length === 1)
    isHanging = true
    await world.clock.advance('5s')
    isHanging = false
    await world.clock.advance('30s')
    assert.equal(latest(started).ctx.cancelSignal.isCancelled(), false)
    latest(started).gate.open('kept')
    const end = await world.finish(handle)
    assert.equal(end.status === 'completed' && end.output, 'kept')
    assert.equal(started.length, 1)
  }),

  engineCase('lease.local_deadline', 'a run whose lease cannot be renewed in time is told to stop, and its outcome refused', async (world) => {
    const storage = createAbsentStorage(world.storage)
    const executor = world.newExecutor({ storage, expireMs: 6_000 })
    const { task, started } = waitingTask(executor, 'work')
    await world.until(executor.start())
    const handle = await executor.enqueueTask(task, 1)
    await untilTrue(world, () => started.length === 1)
    await world.clock.advance('3s')
    storage.leave('refuses')
    const leftAt = world.clock.monotonicNow()
    const first = latest(started)
    await untilTrue(world, () => first.ctx.cancelSignal.isCancelled(), 20_000)
    const tookMs = world.clock.monotonicNow() - leftAt
    assert.ok(tookMs >= 3_000 && tookMs <= 6_050, `it was stopped after ${tookMs} ms`)
    first.gate.open('too late')
    await world.clock.advance('20s')
    storage.comeBack()
    await untilTrue(world, () => started.length === 2, 20_000)
    latest(started).gate.open('in time')
    const end = await world.finish(handle)
    assert.equal(end.status === 'completed' && end.output, 'in time')
  }),

  engineCase('lease.fenced', 'the late outcome of a stalled executor is refused, and that of its successor stands', async (world) => {
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
  }),

  engineCase('lease.zombie_cannot_renew', 'a renewal that is sent late does not keep the successor’s lease', async (world) => {
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
  }),

  engineCase('lease.later_started_at', 'each claim has a later startedAt and a lease of its own, even if the clock stands still', async (world) => {
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
  }),

  engineCase('lease.one_outcome', 'of two executors that ran an execution one outcome is accepted, and it never changes', async (world) => {
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
  }),

  engineCase('lease.during_shutdown', 'leases are renewed during shutdown until the last run is settled', async (world) => {
    const executor = world.newExecutor({ expireMs: 3_000 })
    const { task, started } = waitingTask(executor, 'work')
    await world.until(executor.start())
    const id = (await executor.enqueueTask(task, 1)).getTaskExecutionId()
    await untilTrue(world, () => started.length === 1)
    const other = world.newExecutor({ expireMs: 3_000 })
    const { started: stolen } = waitingTask(other, 'work')
    await world.until(other.start())
    const shutdown = executor.shutdown()
    await world.clock.advance('30s')
    assert.equal(stolen.length, 0)
    latest(started).gate.open('kept')
    await world.until(shutdown)
    assert.equal((await world.row(id)).status, 'completed')
  }),

  engineCase('lease.one_held_row', 'a row that cannot be renewed costs no other run its lease', async (world) => {
    let heldId = 'nothing yet'
    const storage = withCallListener(world.storage, (call) => {
      if (isRenewal(call) && JSON.stringify(call.args).includes(heldId)) {
        throw new Error('The row is held by somebody')
      }
    })
    const executor = world.newExecutor({ storage, expireMs: 3_000, maxLosses: 1_000 })
    const { task, started } = waitingTask(executor, 'work')
    await world.until(executor.start())
    const held = await executor.enqueueTask(task, 'held')
    const free = await executor.enqueueTask(task, 'free')
    await untilTrue(world, () => started.length === 2)
    heldId = held.getTaskExecutionId()
    await world.clock.advance('2500ms')
    const row = await world.row(free.getTaskExecutionId())
    assert.ok((row.expiresAt?.getTime() ?? 0) - (row.startedAt?.getTime() ?? 0) > 3_000)
    await world.clock.advance('20s')
    heldId = 'nothing any more'
    for (const one of started) {
      one.gate.open(one.input)
    }
    const end = await world.finish(free)
    assert.equal(end.status === 'completed' && end.output, 'free')
    assert.equal(started.filter(({ input }) => input === 'free').length, 1)
    await untilTrue(world, () => started.filter(({ input }) => input === 'held').length >= 2)
    for (const one of started) {
      one.gate.open(one.input)
    }
    assert.equal((await world.finish(held)).status, 'completed')
  }),
]
