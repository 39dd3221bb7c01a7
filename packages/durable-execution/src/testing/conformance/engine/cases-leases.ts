/** Cases: how long a row is held, and what becomes of a run whose lease cannot be renewed. */

import assert from 'node:assert/strict'

import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  type Call,
  createAbsentStorage,
  latest,
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
  engineCase(
    'lease.written_with_claim',
    'a claim writes a lease of the length of expireMs',
    async (world) => {
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
    },
  ),

  engineCase(
    'lease.renewed_every_third',
    'leases are renewed about every third of expireMs',
    async (world) => {
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
    },
  ),

  engineCase(
    'lease.failed_renewal_is_unknown',
    'a run goes on while its renewals fail for a while',
    async (world) => {
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
    },
  ),

  engineCase('lease.hung_renewal_is_unknown', 'a run goes on while a renewal hangs', async (world) => {
    let isHanging = false
    const storage = createFaultyStorage(world.storage)
    storage.failAtCommitWhen((trace) => (isHanging && trace.calls.some(isRenewal) ? 'hang' : undefined))
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

  engineCase(
    'lease.local_deadline',
    'a run whose lease cannot be renewed in time is told to stop, and its outcome refused',
    async (world) => {
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
    },
  ),

  engineCase(
    'lease.during_shutdown',
    'leases are renewed during shutdown until the last run is settled',
    async (world) => {
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
    },
  ),

  engineCase(
    'lease.one_held_row',
    'a row that cannot be renewed costs no other run its lease',
    async (world) => {
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
      let heldEnd: string | undefined
      void held.waitAndGetTaskFinishedExecution().then(({ status }) => {
        heldEnd = status
      })
      await untilTrue(world, () => {
        // It may have been started once more.
        for (const one of started) {
          one.gate.open(one.input)
        }
        return heldEnd !== undefined
      })
      assert.equal(heldEnd, 'completed')
    },
  ),

  engineCase(
    'lease.renewed_together',
    'the leases of all runs of an executor are renewed together',
    async (world) => {
      let renewals = 0
      const storage = withCallListener(world.storage, (call) => {
        renewals += isRenewal(call) ? 1 : 0
      })
      const executor = world.newExecutor({ storage, expireMs: 9_000 })
      const { task, started } = waitingTask(executor, 'work')
      await world.until(executor.start())
      await Promise.all(Array.from({ length: 40 }, (_, input) => executor.enqueueTask(task, input)))
      await untilTrue(world, () => started.length === 40)
      await world.clock.advance('30s')
      assert.ok(renewals >= 8 && renewals <= 12, `${renewals} renewals in half a minute`)
      for (const { gate } of started) {
        gate.open(1)
      }
    },
  ),
]
