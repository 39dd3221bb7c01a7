/** Cases: hints between executors, the storage's clock, and clocks that are wrong. */

import assert from 'node:assert/strict'

import { type DurableStorage } from '../../../storage/contract.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  createAbsentStorage,
  createHintBus,
  latest,
  quickTask,
  untilRow,
  untilTrue,
  waitingTask,
  withCallListener,
} from './lives.ts'
import { type EngineWorld } from './world.ts'

/** The world's storage with a clock of its own, ahead of this machine's. */
function withClock(world: EngineWorld, aheadMs: number): DurableStorage {
  return {
    withTransaction: (fn, hint) => world.storage.withTransaction(fn, hint),
    getCurrentTime: () => new Date(world.clock.now() + aheadMs),
  }
}

export const HINT_CASES: Array<EngineConformanceCase> = [
  engineCase('hints.cancel', 'with hints a cancel reaches the run at once, wherever it is', async (world) => {
    const bus = createHintBus()
    const executor = world.newExecutor({ storage: bus.connect(world.storage) })
    const { task, started } = waitingTask(executor, 'work')
    await world.until(executor.start())
    const client = world.newExecutor({ storage: bus.connect(world.storage) })
    quickTask(client, 'work')
    const handle = await client.enqueueTask(task, 1)
    await world.clock.settle()
    assert.equal(started.length, 1)
    assert.equal(await handle.cancel(), true)
    await world.clock.settle()
    assert.equal(latest(started).ctx.cancelSignal.isCancelled(), true)
    latest(started).gate.open(1)
  }),

  engineCase(
    'cancel.seen_within_a_second',
    'without hints a cancel reaches the run within a second',
    async (world) => {
      const executor = world.newExecutor()
      const { task, started } = waitingTask(executor, 'work')
      await world.until(executor.start())
      const client = world.newExecutor()
      quickTask(client, 'work')
      for (let round = 1; round <= 3; round += 1) {
        // Two at once, and after a time without any run.
        const handles = [await client.enqueueTask(task, 1), await client.enqueueTask(task, 2)]
        await untilTrue(world, () => started.length === 2 * round)
        await world.until(Promise.all(handles.map((handle) => handle.cancel())))
        await world.clock.advance(1_050)
        for (const { ctx, gate } of started) {
          assert.equal(ctx.cancelSignal.isCancelled(), true)
          gate.open(1)
        }
        await world.clock.advance('5s')
      }
    },
  ),

  engineCase('hints.waiter', 'with hints a waiter in another process is told at once', async (world) => {
    const bus = createHintBus()
    const executor = world.newExecutor({ storage: bus.connect(world.storage) })
    const { task, started } = waitingTask(executor, 'work')
    await world.until(executor.start())
    const client = world.newExecutor({ storage: bus.connect(world.storage) })
    quickTask(client, 'work')
    const handle = await client.enqueueTask(task, 1)
    await world.clock.settle()
    const wait = handle.waitAndGetTaskFinishedExecution({ pollingIntervalMs: 3_600_000 })
    await world.clock.settle()
    latest(started).gate.open('told')
    await world.clock.settle()
    const end = await wait
    assert.equal(end.status === 'completed' && end.output, 'told')
    assert.equal(world.clock.monotonicNow(), 0)
  }),

  engineCase(
    'hints.seldom_looks',
    'an idle executor that is hinted looks a few times a minute, and starts at once what others enqueue',
    async (world) => {
      const bus = createHintBus()
      let calls = 0
      const counted = withCallListener(world.storage, () => {
        calls += 1
      })
      const hinted = { backgroundProcessIntraBatchSleepMs: undefined }
      const { notifyChange: _, ...seeing } = bus.connect(counted)
      const executor = world.newExecutor({ ...hinted, storage: seeing })
      const task = quickTask(executor, 'work')
      await world.until(executor.start())
      await world.clock.advance('2m')
      const before = calls
      await world.clock.advance('10m')
      assert.ok(calls - before <= 100, `an idle executor made ${calls - before} calls in ten minutes`)
      const client = world.newExecutor({ storage: bus.connect(world.storage) })
      quickTask(client, 'work')
      const handle = await client.enqueueTask(task, 1)
      await world.clock.settle()
      assert.equal((await handle.getTaskExecution()).status, 'completed')
    },
  ),

  engineCase(
    'hints.only_while_wanted',
    'the storage is listened to while an executor runs or somebody waits',
    async (world) => {
      const bus = createHintBus()
      const executor = world.newExecutor({ storage: bus.connect(world.storage) })
      const task = quickTask(executor, 'work')
      const handle = await executor.enqueueTask(task, 1)
      assert.equal(bus.listeners(), 0)
      const wait = handle.waitAndGetTaskFinishedExecution()
      await world.clock.settle()
      assert.equal(bus.listeners(), 1)
      await handle.cancel()
      await wait
      await world.clock.settle()
      assert.equal(bus.listeners(), 0)
      await world.until(executor.start())
      await world.clock.settle()
      assert.equal(bus.listeners(), 1)
      await world.until(executor.shutdown())
      assert.equal(bus.listeners(), 0)
    },
  ),

  engineCase('hints.may_fail', 'hints that fail, hang or throw only make things slower', async (world) => {
    const failing: Array<Partial<DurableStorage>> = [
      {
        onChange: () => Promise.reject(new Error('no')),
        notifyChange: () => Promise.reject(new Error('no')),
      },
      {
        onChange: () => {
          throw new Error('no')
        },
        notifyChange: () => {
          throw new Error('no')
        },
      },
      { onChange: () => new Promise(() => {}), notifyChange: () => new Promise(() => {}) },
      { onChange: () => Promise.resolve(() => new Promise(() => {})), notifyChange: () => Promise.resolve() },
    ]
    for (const [index, members] of failing.entries()) {
      const storage = { ...createAbsentStorage(world.storage), ...members }
      const executor = world.newExecutor({ storage })
      const task = quickTask(executor, `work${index}`)
      await world.until(executor.start())
      const handle = await world.until(executor.enqueueTask(task, 1))
      assert.equal((await world.finish(handle, 5_000)).status, 'completed')
      await world.until(executor.shutdown({ graceMs: 0 }), 2_050)
    }
  }),

  engineCase(
    'hints.listened_to_again',
    'a storage that could not be listened to is asked again later',
    async (world) => {
      const bus = createHintBus()
      let isAway = true
      const connected = bus.connect(world.storage)
      const storage: DurableStorage = {
        ...connected,
        onChange: async (listener) => {
          if (isAway) {
            throw new Error('not now')
          }
          return (await connected.onChange?.(listener)) ?? (() => Promise.resolve())
        },
      }
      const executor = world.newExecutor({ storage })
      await world.until(executor.start())
      await world.clock.settle()
      assert.equal(bus.listeners(), 0)
      isAway = false
      await world.clock.advance('2m')
      assert.equal(bus.listeners(), 1)
    },
  ),

  engineCase(
    'clock.of_the_storage',
    'instants come from the storage’s clock, for executors and for clients that never started',
    async (world) => {
      for (const aheadMs of [3_600_000, -3_600_000]) {
        const client = world.newExecutor({ storage: withClock(world, aheadMs) })
        const task = quickTask(client, 'work')
        const executor = world.newExecutor({ storage: withClock(world, aheadMs) })
        quickTask(executor, 'work')
        await world.until(executor.start())
        const handle = await world.until(client.enqueueTask(task, 1))
        await world.finish(handle, 2_000)
        const row = await world.row(handle.getTaskExecutionId())
        for (const moment of [row.createdAt, row.startedAt, row.finishedAt]) {
          assert.ok(Math.abs((moment?.getTime() ?? 0) - world.clock.now() - aheadMs) < 5_000)
        }
        await world.until(executor.shutdown())
      }
    },
  ),

  engineCase(
    'clock.two_machines',
    'two machines whose clocks are an hour apart leave each other’s leases alone',
    async (world) => {
      const hour = 3_600_000
      const late = { ...world.clock, now: (): number => world.clock.now() - hour }
      const first = world.newExecutor({ storage: withClock(world, 0), expireMs: 3_000 })
      const second = world.newExecutor({
        storage: withClock(world, 0),
        expireMs: 3_000,
        doors: { clock: late },
      })
      const { task, started } = waitingTask(first, 'work')
      const { started: others } = waitingTask(second, 'work')
      await world.until(Promise.all([first.start(), second.start()]))
      const handle = await first.enqueueTask(task, 1)
      await untilTrue(world, () => started.length + others.length === 1)
      await world.clock.advance('20s')
      assert.equal(started.length + others.length, 1)
      for (const { gate } of [...started, ...others]) {
        gate.open(1)
      }
      assert.equal((await world.finish(handle, 3_000)).status, 'completed')
    },
  ),

  engineCase(
    'clock.jump_is_no_loss',
    'when the clock jumps an hour ahead, runs that are alive keep their leases',
    async (world) => {
      // The latest jitter: the next look for lapsed leases, at 30 s, comes before the third renewal, at 33 s.
      const executor = world.newExecutor({ doors: { random: () => 0.999 } })
      const { task, started } = waitingTask(executor, 'work', { timeoutMs: 7_200_000 })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, 1)
      await untilTrue(world, () => started.length === 1)
      await world.clock.advance('29s')
      world.clock.jump('1h')
      await world.clock.advance('40s')
      assert.equal(started.length, 1, 'the run was started once')
      latest(started).gate.open('done')
      const execution = await world.finish(handle, 3_000)
      assert.equal(execution.status, 'completed')
      assert.equal((await world.row(handle.getTaskExecutionId())).losses ?? 0, 0)
    },
  ),

  engineCase(
    'clock.jumps',
    'a clock that jumps stops no loop, and moves neither timeouts nor the fence',
    async (world) => {
      const executor = world.newExecutor({ maxLosses: 100 })
      const { task, started } = waitingTask(executor, 'work', { timeoutMs: 7_200_000 })
      const quick = quickTask(executor, 'quick')
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, 1)
      await untilTrue(world, () => started.length === 1)
      const claims: Array<number> = []
      for (const by of ['30m', '-30m', '30m']) {
        world.clock.jump(by)
        await world.clock.advance('45s')
        const one = await world.until(executor.enqueueTask(quick, by))
        assert.equal((await world.finish(one, 3_000)).status, 'completed')
        const row = await world.row(handle.getTaskExecutionId())
        claims.push(row.startedAt?.getTime() ?? 0)
      }
      assert.deepEqual(
        claims.toSorted((a, b) => a - b),
        claims,
      )
      for (const { gate } of started) {
        gate.open('done')
      }
      await untilTrue(world, () => {
        latest(started).gate.open('done')
        return executor.getRunningTaskExecutionIds().size === 0
      })
      const row = await untilRow(
        world,
        handle.getTaskExecutionId(),
        ({ status }) => {
          latest(started).gate.open('done')
          return status === 'completed'
        },
        4_000_000,
      )
      assert.equal(row.status, 'completed')
    },
  ),
]
