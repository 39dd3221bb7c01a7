/** Cases: the storage's clock, and clocks that are wrong. */

import assert from 'node:assert/strict'

import { type DurableStorage } from '../../../storage/contract.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { latest, quickTask, untilRow, untilTrue, waitingTask } from './lives.ts'
import { type EngineWorld } from './world.ts'

/** The world's storage with a clock of its own, ahead of this machine's. */
function withClock(world: EngineWorld, aheadMs: number): DurableStorage {
  return {
    withTransaction: (fn, hint) => world.storage.withTransaction(fn, hint),
    getCurrentTime: () => new Date(world.clock.now() + aheadMs),
  }
}

export const CLOCK_CASES: Array<EngineConformanceCase> = [
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
    'clock.unknown',
    'an executor that cannot read the storage’s clock waits for it, and does not work by a clock that is an hour ahead',
    async (world) => {
      const { clock } = world
      let isReadable = false
      const storage: DurableStorage = {
        withTransaction: (fn, hint) => world.storage.withTransaction(fn, hint),
        getCurrentTime: () =>
          isReadable ? new Date(clock.now()) : Promise.reject(new Error('nobody knows the time')),
      }
      const client = world.newExecutor()
      const task = quickTask(client, 'work', () => 'done')
      const handle = await client.enqueueTask(task, 1, { sleepMsBeforeRun: 60_000 })
      const executor = world.newExecutor({
        storage,
        doors: { clock: { ...clock, now: () => clock.now() + 3_600_000 } },
      })
      const same = quickTask(executor, 'work', () => 'done')
      await world.until(executor.start())
      await clock.advance('30s')
      assert.equal((await world.row(handle.getTaskExecutionId())).status, 'ready')
      isReadable = true
      const end = await world.finish(await executor.getTaskHandle(same, handle.getTaskExecutionId()))
      assert.equal(end.status, 'completed')
      const { startedAt, startAt } = await world.row(handle.getTaskExecutionId())
      assert.ok(startedAt !== undefined && startedAt >= startAt, 'it ran before its time')
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
