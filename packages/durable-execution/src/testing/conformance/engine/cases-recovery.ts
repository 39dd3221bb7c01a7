/** Cases: what becomes of the work of an executor that died or stalled. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { latest, quickTask, untilRow, untilTrue, waitingTask } from './lives.ts'
import { type EngineWorld } from './world.ts'

/** Lets an executor claim the execution and die. */
async function loseOnce(world: EngineWorld, executionId: string, expireMs: number): Promise<void> {
  const mortal = world.newExecutor({ expireMs })
  waitingTask(mortal, 'work')
  await world.until(mortal.start())
  await untilRow(world, executionId, (row) => row.status === 'running', 120_000)
  world.kill(mortal)
}

export const RECOVERY_CASES: Array<EngineConformanceCase> = [
  engineCase('recovery.expired', 'a row whose lease lapsed is ready again and says so', async (world) => {
    const client = world.newExecutor()
    const { task } = waitingTask(client, 'work', { maxAttempts: 5 })
    const handle = await client.enqueueTask(task, 1)
    const id = handle.getTaskExecutionId()
    await loseOnce(world, id, 30_000)
    const other = world.newExecutor()
    await world.until(other.start())
    const row = await untilRow(world, id, ({ status }) => status === 'ready')
    assert.deepEqual(row.error, { errorType: 'generic', message: 'Task expired', isRetryable: false })
    assert.equal(row.retryAttempts, 0)
    assert.equal(row.expiresAt, undefined)
  }),

  engineCase('recovery.losses', 'a lost row counts its loss', async (world) => {
    const client = world.newExecutor()
    const { task } = waitingTask(client, 'work')
    const id = (await client.enqueueTask(task, 1)).getTaskExecutionId()
    await loseOnce(world, id, 5_000)
    const other = world.newExecutor()
    await world.until(other.start())
    const row = await untilRow(world, id, ({ status }) => status === 'ready')
    assert.equal(row.losses, 1)
  }),

  engineCase('recovery.cost_is_lease', 'a crash costs the lease, whatever the timeout', async (world) => {
    const first = world.newExecutor()
    const { task, started } = waitingTask(first, 'work', { timeoutMs: 100 * 86_400_000 })
    await world.until(first.start())
    const handle = await first.enqueueTask(task, 1)
    await untilTrue(world, () => started.length === 1)
    const second = world.newExecutor()
    quickTask(second, 'work', () => 'second')
    await world.until(second.start())
    world.kill(first)
    const diedAt = world.clock.monotonicNow()
    const end = await world.finish(await second.getTaskHandle({ id: 'work' }, handle.getTaskExecutionId()))
    assert.equal(end.status === 'completed' ? end.output : end.status, 'second')
    const tookMs = world.clock.monotonicNow() - diedAt
    assert.ok(tookMs <= 31_100, `it took ${tookMs} ms`)
    assert.ok(tookMs >= 19_000, `it took ${tookMs} ms only`)
  }),

  engineCase('recovery.backoff', 'losses in a row are followed by ever longer pauses', async (world) => {
    const client = world.newExecutor()
    const { task } = waitingTask(client, 'work')
    const id = (await client.enqueueTask(task, 1)).getTaskExecutionId()
    // It knows no task, so it recovers and claims nothing.
    const watcher = world.newExecutor({ expireMs: 2_000 })
    await world.until(watcher.start())
    const pauses: Array<number> = []
    for (let loss = 1; loss <= 9; loss += 1) {
      await loseOnce(world, id, 2_000)
      const row = await untilRow(world, id, ({ status }) => status === 'ready')
      assert.equal(row.losses, loss)
      pauses.push(row.startAt.getTime() - row.updatedAt.getTime())
    }
    assert.deepEqual(
      pauses.map((ms) => Math.max(ms, 0)),
      [0, 1, 2, 4, 8, 16, 32, 60, 60].map((s) => s * 1_000),
    )
  }),

  engineCase('recovery.max_losses', 'the third loss in a row is the end', async (world) => {
    const survivor = world.newExecutor({ expireMs: 2_000, maxConcurrentTaskExecutions: 1 })
    const { task } = waitingTask(survivor, 'work')
    const { task: occupied, started } = waitingTask(survivor, 'occupied')
    await world.until(survivor.start())
    // Its one slot is taken, so that the survivor claims nothing of what it takes back.
    await survivor.enqueueTask(occupied, 1)
    await untilTrue(world, () => started.length === 1)
    const handle = await survivor.enqueueTask(task, 1)
    for (let loss = 1; loss <= 3; loss += 1) {
      await loseOnce(world, handle.getTaskExecutionId(), 2_000)
      await untilRow(world, handle.getTaskExecutionId(), ({ losses }) => losses === loss)
    }
    const end = await world.finish(handle)
    assert.equal(end.status, 'failed')
    assert.equal(
      end.status === 'failed' && end.error.message,
      'Task lost 3 times: each time the process that ran it died or stalled',
    )
    assert.equal(end.status === 'failed' && end.error.isRetryable, false)
    latest(started).gate.open('free')
  }),

  engineCase(
    'recovery.max_losses_option',
    'the number of losses is the task’s option, else the executor’s',
    async (world) => {
      for (const [executorLosses, taskLosses, expected] of [
        [1, undefined, 1],
        [5, 2, 2],
      ] as const) {
        const survivor = world.newExecutor({
          expireMs: 2_000,
          maxLosses: executorLosses,
          maxConcurrentTaskExecutions: 1,
        })
        const { task } = waitingTask(
          survivor,
          'work',
          taskLosses === undefined ? {} : { maxLosses: taskLosses },
        )
        const { task: occupied, started } = waitingTask(survivor, `occupied${expected}`)
        await world.until(survivor.start())
        await survivor.enqueueTask(occupied, 1)
        await untilTrue(world, () => started.length === 1)
        const handle = await survivor.enqueueTask(task, 1)
        for (let loss = 1; loss <= expected; loss += 1) {
          await loseOnce(world, handle.getTaskExecutionId(), 2_000)
          await untilRow(world, handle.getTaskExecutionId(), ({ losses }) => losses === loss)
        }
        const end = await world.finish(handle)
        assert.match(
          end.status === 'failed' ? end.error.message : end.status,
          new RegExp(`^Task lost ${expected} times`),
        )
        latest(started).gate.open('free')
        await world.until(survivor.shutdown())
      }
    },
  ),

  engineCase(
    'recovery.settle_resets',
    'an attempt that settles, even badly, resets the count of losses',
    async (world) => {
      const client = world.newExecutor()
      const { task } = waitingTask(client, 'work', { maxAttempts: 1 })
      const handle = await client.enqueueTask(task, 1)
      const id = handle.getTaskExecutionId()
      await loseOnce(world, id, 2_000)
      const survivor = world.newExecutor({ expireMs: 2_000 })
      const { started } = waitingTask(survivor, 'work')
      await world.until(survivor.start())
      await untilTrue(world, () => started.length === 1)
      assert.equal((await world.row(id)).losses, 1)
      latest(started).gate.fail(new Error('not this time'))
      await untilTrue(world, () => started.length === 2)
      assert.equal((await world.row(id)).losses, 0)
      latest(started).gate.open('done')
      assert.equal((await world.finish(handle)).status, 'completed')
    },
  ),

  engineCase(
    'recovery.any_process',
    'an executor that does not know the task puts it back for those who do',
    async (world) => {
      const client = world.newExecutor()
      const { task } = waitingTask(client, 'work')
      const id = (await client.enqueueTask(task, 1)).getTaskExecutionId()
      await loseOnce(world, id, 2_000)
      const stranger = world.newExecutor({ expireMs: 2_000 })
      quickTask(stranger, 'else')
      await world.until(stranger.start())
      const row = await untilRow(world, id, ({ status }) => status === 'ready')
      assert.equal(row.error?.message, 'Task expired')
      await world.clock.advance('1m')
      assert.equal((await world.row(id)).status, 'ready')
    },
  ),

  engineCase('recovery.live_lease', 'a live executor keeps its rows’ leases in the future', async (world) => {
    const executor = world.newExecutor({ expireMs: 3_000 })
    const { task, started } = waitingTask(executor, 'work')
    const other = world.newExecutor({ expireMs: 3_000 })
    waitingTask(other, 'work')
    await world.until(executor.start())
    const handle = await executor.enqueueTask(task, 1)
    await untilTrue(world, () => started.length === 1)
    await world.until(other.start())
    for (let step = 0; step < 60; step += 1) {
      await world.clock.advance(1_000)
      const row = await world.row(handle.getTaskExecutionId())
      assert.equal(row.status, 'running')
      assert.ok((row.expiresAt?.getTime() ?? 0) > world.clock.now())
    }
    assert.equal(started.length, 1)
    latest(started).gate.open('done')
    const end = await world.finish(handle)
    assert.equal(end.status, 'completed')
  }),

  engineCase(
    'unknown.left_alone',
    'a task nobody here knows is neither claimed nor failed, and holds up nobody',
    async (world) => {
      const client = world.newExecutor()
      const strange = quickTask(client, 'strange')
      const handles = []
      for (let count = 0; count < 40; count += 1) {
        handles.push(await client.enqueueTask(strange, count))
      }
      const executor = world.newExecutor({ maxConcurrentTaskExecutions: 2 })
      const known = quickTask(executor, 'known')
      await world.until(executor.start())
      const handle = await executor.enqueueTask(known, 1)
      const sentAt = world.clock.monotonicNow()
      assert.equal((await world.finish(handle)).status, 'completed')
      assert.ok(world.clock.monotonicNow() - sentAt <= 550)
      await world.clock.advance('2m')
      for (const one of handles) {
        const row = await world.row(one.getTaskExecutionId())
        assert.equal(row.status, 'ready')
        assert.equal(row.startedAt, undefined)
      }
    },
  ),
]
