/** Cases: the storage is away, hangs, or throws where it should reject. */

import assert from 'node:assert/strict'

import { DurableExecutionError } from '../../../base/errors.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { createAbsentStorage, latest, quickTask, untilRow, untilTrue, waitingTask } from './lives.ts'

export const OUTAGE_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'errors.user_tries',
    'a call of the user’s is tried five times within two seconds, then rejects with the storage’s own error',
    async (world) => {
      const storage = createAbsentStorage(world.storage)
      const executor = world.newExecutor({ storage })
      const task = quickTask(executor, 'work')
      const handle = await executor.enqueueTask(task, 1)
      for (const call of [
        async () => await executor.enqueueTask(task, 2),
        async () => await handle.getTaskExecution(),
        async () => await handle.cancel(),
      ]) {
        storage.leave('refuses')
        const askedAt = world.clock.monotonicNow()
        await assert.rejects(world.until<unknown>(call()), { message: 'The storage is away' })
        assert.equal(storage.asked(), 5)
        assert.ok(world.clock.monotonicNow() - askedAt <= 2_000)
        storage.comeBack()
      }
    },
  ),

  engineCase('errors.user_recovers', 'a short outage is not noticed by the user', async (world) => {
    const storage = createFaultyStorage(world.storage)
    const executor = world.newExecutor({ storage })
    const task = quickTask(executor, 'work')
    let left = 4
    storage.failWhen(() => (left-- > 0 ? 'lost_request' : undefined))
    const handle = await world.until(executor.enqueueTask(task, 1))
    assert.equal((await world.row(handle.getTaskExecutionId())).status, 'ready')
  }),

  engineCase(
    'errors.non_retryable',
    'a non-retryable error of ours is passed on after the first try',
    async (world) => {
      let asked = 0
      const storage = {
        withTransaction: (): Promise<never> => {
          asked += 1
          return Promise.reject(new DurableExecutionError('Never', false))
        },
      }
      const executor = world.newExecutor({ storage })
      const task = quickTask(executor, 'work')
      await assert.rejects(world.until(executor.enqueueTask(task, 1)), { message: 'Never' })
      assert.equal(asked, 1)
    },
  ),

  engineCase(
    'errors.sync_throw',
    'a withTransaction that throws is treated like one that rejects',
    async (world) => {
      const storage = createAbsentStorage(world.storage)
      const executor = world.newExecutor({ storage })
      const task = quickTask(executor, 'work')
      storage.leave('throws')
      await assert.rejects(world.until(executor.enqueueTask(task, 1)), { message: 'The storage is away' })
      assert.equal(storage.asked(), 5)
      await world.until(executor.start())
      await world.clock.advance('10s')
      storage.comeBack()
      const handle = await world.until(executor.enqueueTask(task, 1))
      assert.equal((await world.finish(handle, 10_000)).status, 'completed')
    },
  ),

  engineCase('errors.replaced', 'withTransaction is looked up at each call', async (world) => {
    const storage = { ...createAbsentStorage(world.storage) }
    const executor = world.newExecutor({ storage })
    const task = quickTask(executor, 'work')
    await world.until(executor.start())
    let calls = 0
    const before = storage.withTransaction
    storage.withTransaction = async (fn, hint) => {
      calls += 1
      return await before(fn, hint)
    }
    await world.finish(await executor.enqueueTask(task, 1))
    assert.ok(calls >= 2)
  }),

  engineCase(
    'errors.unknown_insert',
    'an insert whose reply was lost is found and is a success, once',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const executor = world.newExecutor({ storage })
      const task = quickTask(executor, 'work')
      storage.failWhen((index) => (index === 0 ? 'lost_reply' : undefined))
      const handles = await world.until(
        Promise.all([1, 2, 3].map((input) => executor.enqueueTask(task, input))),
      )
      const ids = handles.map((handle) => handle.getTaskExecutionId()).toSorted()
      assert.deepEqual(
        (await world.rows()).map(({ executionId }) => executionId),
        ids,
      )
    },
  ),

  engineCase(
    'errors.outage',
    'after five minutes without the storage everything goes on within seconds',
    async (world) => {
      const storage = createAbsentStorage(world.storage)
      const executor = world.newExecutor({ storage })
      const { task, started } = waitingTask(executor, 'work', { maxAttempts: 0 })
      const quick = quickTask(executor, 'quick')
      await world.until(executor.start())
      const running = await executor.enqueueTask(task, 1)
      await untilTrue(world, () => started.length === 1)
      storage.leave('refuses')
      await world.clock.advance('5m')
      const asked = storage.asked()
      assert.ok(asked > 100 && asked < 1_500, `the storage was asked ${asked} times`)
      storage.comeBack()
      const backAt = world.clock.monotonicNow()
      const handle = await world.until(executor.enqueueTask(quick, 1))
      assert.equal((await world.finish(handle)).status, 'completed')
      await untilTrue(world, () => started.length === 2)
      assert.ok(world.clock.monotonicNow() - backAt <= 7_000)
      const row = await world.row(running.getTaskExecutionId())
      assert.equal(row.status, 'running')
      assert.equal(row.retryAttempts, 0)
      latest(started).gate.open('done')
      assert.equal((await world.finish(running)).status, 'completed')
      // Each loop turns again: a cancel is seen, a lapse is found, a parent is closed.
      assert.equal(executor.health().ok, true)
    },
  ),

  engineCase(
    'errors.outage_is_no_loss',
    'outages longer than the lease, however many, cost a run no loss, whoever is the first to hear of their end',
    async (world) => {
      const storage = createAbsentStorage(world.storage)
      const lives = [1, 2, 3].map(() => {
        const executor = world.newExecutor({ storage, expireMs: 5_000 })
        return { executor, ...waitingTask(executor, 'work') }
      })
      for (const { executor } of lives) {
        await world.until(executor.start())
      }
      const starts = (): number => lives.reduce((sum, { started }) => sum + started.length, 0)
      const [first] = lives
      assert.ok(first)
      const handle = await world.until(first.executor.enqueueTask(first.task, 1))
      await untilTrue(world, () => starts() === 1)
      for (let outages = 1; outages <= 4; outages += 1) {
        storage.leave(outages % 2 === 0 ? 'throws' : 'refuses')
        await world.clock.advance('30s')
        storage.comeBack()
        await untilTrue(world, () => starts() === outages + 1, 10_000)
        const { status, losses = 0, retryAttempts } = await world.row(handle.getTaskExecutionId())
        assert.deepEqual(
          { status, losses, retryAttempts },
          { status: 'running', losses: 0, retryAttempts: 0 },
        )
      }
      for (const { gate } of lives.flatMap(({ started }) => started)) {
        gate.open('done')
      }
      assert.equal((await world.finish(handle)).status, 'completed')
    },
  ),

  engineCase(
    'errors.outage_hides_no_death',
    'a process that died during an outage is noticed soon after it',
    async (world) => {
      const storage = createAbsentStorage(world.storage)
      const mortal = world.newExecutor({ expireMs: 5_000 })
      const { task, started } = waitingTask(mortal, 'work')
      const survivor = world.newExecutor({ storage, expireMs: 5_000 })
      quickTask(survivor, 'work', () => 'survived')
      await world.until(mortal.start())
      const handle = await world.until(mortal.enqueueTask(task, 1))
      await untilTrue(world, () => started.length === 1)
      await world.until(survivor.start())
      storage.leave('refuses')
      world.kill(mortal)
      await world.clock.advance('60s')
      storage.comeBack()
      const backAt = world.clock.monotonicNow()
      const row = await untilRow(world, handle.getTaskExecutionId(), ({ status }) => status === 'completed')
      assert.ok(world.clock.monotonicNow() - backAt <= 10_000, 'it took longer than two leases')
      assert.equal(row.output, JSON.stringify('survived'))
    },
  ),

  engineCase('errors.hung_calls', 'calls that never return end no loop', async (world) => {
    const storage = createAbsentStorage(world.storage)
    const executor = world.newExecutor({ storage })
    const quick = quickTask(executor, 'quick')
    await world.until(executor.start())
    storage.leave('hangs')
    await world.clock.advance('2m')
    storage.comeBack()
    const handle = await world.until(executor.enqueueTask(quick, 1))
    assert.equal((await world.finish(handle, 10_000)).status, 'completed')
    await world.clock.advance('31s')
    assert.equal(executor.health().ok, true)
  }),

  engineCase(
    'settle.kept_through_outage',
    'an outcome is kept while the storage is away, and stored before the lease lapses',
    async (world) => {
      const storage = createAbsentStorage(world.storage)
      // The longest pauses between tries.
      const executor = world.newExecutor({ storage, doors: { random: () => 0.999 } })
      const { task, started } = waitingTask(executor, 'work')
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, 1)
      await untilTrue(world, () => started.length === 1)
      storage.leave('refuses')
      latest(started).gate.open('kept')
      await world.clock.advance(14_500)
      storage.comeBack()
      const end = await world.finish(handle, 8_000)
      assert.equal(end.status === 'completed' && end.output, 'kept')
      assert.equal(started.length, 1)
    },
  ),

  engineCase(
    'settle.dropped_after_lapse',
    'an outcome that outlives its lease is dropped, and the task runs again',
    async (world) => {
      const storage = createAbsentStorage(world.storage)
      const executor = world.newExecutor({ storage, expireMs: 5_000 })
      const { task, started } = waitingTask(executor, 'work')
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, 1)
      await untilTrue(world, () => started.length === 1)
      storage.leave('refuses')
      latest(started).gate.open('dropped')
      await world.clock.advance('20s')
      storage.comeBack()
      await untilTrue(world, () => started.length === 2, 20_000)
      latest(started).gate.open('again')
      const end = await world.finish(handle)
      assert.equal(end.status === 'completed' && end.output, 'again')
      assert.ok(world.logs.some(({ message }) => message.includes('is dropped')))
    },
  ),
]
