/** Cases: what `health` says, and when. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { createAbsentStorage, latest, quickTask, untilTrue, waitingTask, withCallListener } from './lives.ts'

export const HEALTH_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'health.ok',
    'an executor is healthy before it starts, while it works, while it idles, and after shutdown',
    async (world) => {
      const executor = world.newExecutor()
      const task = quickTask(executor, 'work')
      assert.deepEqual(executor.health(), { ok: true, problems: [] })
      await world.until(executor.start())
      await world.finish(await executor.enqueueTask(task, 1))
      for (let minute = 0; minute < 3; minute += 1) {
        await world.clock.advance('1m')
        assert.deepEqual(executor.health(), { ok: true, problems: [] })
      }
      await world.until(executor.shutdown())
      assert.deepEqual(executor.health(), { ok: true, problems: [] })
    },
  ),

  engineCase(
    'health.storage',
    'it says since when the storage has not answered, whether it refuses or hangs',
    async (world) => {
      for (const how of ['refuses', 'hangs'] as const) {
        const storage = createAbsentStorage(world.storage)
        const executor = world.newExecutor({ storage })
        quickTask(executor, 'work')
        await world.until(executor.start())
        await world.clock.advance('10s')
        storage.leave(how)
        await world.clock.advance(1_000)
        assert.equal(executor.health().ok, true)
        await world.clock.advance(4_000)
        const { ok, problems } = executor.health()
        assert.equal(ok, false)
        const [problem = ''] = problems
        const since = /^The storage has not answered since (\S+Z)/.exec(problem)?.[1] ?? ''
        assert.ok(Math.abs(Date.parse(since) - (world.clock.now() - 5_000)) <= 1_000, problem)
        storage.comeBack()
        await world.clock.advance('10s')
        assert.deepEqual(executor.health(), { ok: true, problems: [] })
        await world.until(executor.shutdown())
      }
    },
  ),

  engineCase(
    'health.silent_loop',
    'a loop that hangs while the storage answers others turns it red',
    async (world) => {
      let isHanging = false
      const storage = createAbsentStorage(world.storage)
      const listened = withCallListener(storage, ({ operation, args }) => {
        const where = args[0] as { isClosed?: boolean } | undefined
        if (isHanging && operation === 'getTaskExecutionIds' && where?.isClosed === false) {
          throw new Hang()
        }
      })
      listened.withTransaction = wrapHang(listened.withTransaction)
      const executor = world.newExecutor({ storage: listened })
      quickTask(executor, 'work')
      await world.until(executor.start())
      await world.clock.advance('5s')
      isHanging = true
      await world.clock.advance('4s')
      const { ok, problems } = executor.health()
      assert.equal(ok, false)
      assert.match(problems.join(), /^The loop "closing" has been silent for \d+ ms$/)
      isHanging = false
      await world.clock.advance('31s')
      assert.equal(executor.health().ok, true)
    },
  ),

  engineCase(
    'health.clock',
    'a clock that is off by more than a third of the lease is a problem',
    async (world) => {
      for (const [aheadMs, isOk] of [
        [9_000, true],
        [-9_000, true],
        [11_000, false],
        [-11_000, false],
      ] as const) {
        const storage = {
          ...createAbsentStorage(world.storage),
          getCurrentTime: (): Date => new Date(world.clock.now() + aheadMs),
        }
        const executor = world.newExecutor({ storage })
        await world.until(executor.start())
        assert.equal(executor.health().ok, isOk)
        assert.equal(/clock/.test(executor.health().problems.join()), !isOk)
        await world.until(executor.shutdown())
      }
    },
  ),

  engineCase(
    'health.disk_full',
    'a full disk is named until the storage takes writes again',
    async (world) => {
      let isFull = false
      const storage = withCallListener(world.storage, ({ operation }) => {
        if (isFull && !/^get|^lock/.test(operation)) {
          throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' })
        }
      })
      const executor = world.newExecutor({ storage })
      const task = quickTask(executor, 'work')
      await world.until(executor.start())
      isFull = true
      await assert.rejects(world.until(executor.enqueueTask(task, 1)))
      const seen = executor.health().problems
      isFull = false
      await world.finish(await executor.enqueueTask(task, 2))
      assert.match(seen.join(), /disk/)
      assert.equal(executor.health().ok, true)
    },
  ),

  engineCase(
    'health.stuck_closing',
    'a row that nobody here can close, since nobody knows its parent’s task, is named',
    async (world) => {
      const first = world.newExecutor()
      const { task: child, started } = waitingTask(first, 'child')
      const parent = first.parentTask({
        id: 'parent',
        timeoutMs: 60_000,
        runParent: () => ({ output: 1, childrenTasks: [{ task: child, input: 1 }] }),
      })
      await world.until(first.start())
      const handle = await first.enqueueTask(parent, 1)
      await untilTrue(world, () => started.length === 1)
      world.kill(first)
      const second = world.newExecutor()
      quickTask(second, 'child')
      await world.until(second.start())
      await world.clock.advance('40s')
      assert.equal(second.health().ok, true)
      await world.clock.advance('35s')
      assert.match(
        second.health().problems.join(),
        /^Execution \S+ cannot be closed: no executor knows its parent's task parent$/,
      )
      const third = world.newExecutor()
      quickTask(third, 'child')
      third.parentTask({ id: 'parent', timeoutMs: 60_000, runParent: () => ({ output: 1 }) })
      await world.until(third.start())
      const end = await world.finish(await third.getTaskHandle({ id: 'parent' }, handle.getTaskExecutionId()))
      assert.equal(end.status, 'completed')
      await world.clock.advance('2s')
      assert.equal(second.health().ok, true)
      latest(started).gate.open(1)
    },
  ),
]

/** Makes a transaction that throws it hang instead. */
class Hang extends Error {}

function wrapHang<T extends (...args: Array<never>) => Promise<unknown>>(fn: T): T {
  return (async (...args: Array<never>) => {
    try {
      return await fn(...args)
    } catch (error) {
      if (error instanceof Hang) {
        return await new Promise<never>(() => {})
      }
      throw error
    }
  }) as T
}
