/** Cases: hints between executors, and what they are for. */

import assert from 'node:assert/strict'

import { type DurableStorage } from '../../../storage/contract.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  createAbsentStorage,
  createHintBus,
  latest,
  quickTask,
  untilTrue,
  waitingTask,
  withCallListener,
} from './lives.ts'

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

  ...(['the storage sees what others change', 'others tell it'] as const).map((how) =>
    engineCase(
      'hints.seldom_looks',
      `an idle executor that is hinted, since ${how}, looks a few times a minute, and starts at once what others enqueue`,
      async (world) => {
        const bus = createHintBus()
        let calls = 0
        const counted = withCallListener(world.storage, () => {
          calls += 1
        })
        const told = bus.connect(counted)
        const { notifyChange: _, ...seeing } = told
        const executor = world.newExecutor({
          backgroundProcessIntraBatchSleepMs: undefined,
          storage: how === 'others tell it' ? told : seeing,
        })
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
]
