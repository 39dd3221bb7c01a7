/** Cases: deadlines, from the enqueue to the end of all attempts and of all below. */

import assert from 'node:assert/strict'

import { DurableExecutionTimedOutError } from '../../../base/errors.ts'
import { LIMITS } from '../../../base/limits.ts'
import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableTask } from '../../../task/define.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { latest, quickTask, untilRow, waitingTask } from './lives.ts'
import { assertRefused } from './refusals.ts'

export const DEADLINE_RULES: Record<string, string> = {
  'deadline.valid': 'deadlineMs is a number of milliseconds, more than 0 and at most a hundred years.',
  'deadline.stops_run':
    'A run that is under way at the deadline is stopped like one that times out, and is not tried again.',
  'deadline.earlier_counts': 'An attempt ends at its timeout or at the deadline, whichever comes first.',
  'deadline.no_late_retry':
    'A retry that would begin at the deadline or later is not made: the execution times out at once, and says how the last attempt ended.',
  'deadline.due_then': 'What is to begin later is due at its deadline.',
  'deadline.not_run': 'What is claimed at its deadline or later times out without being run.',
  'deadline.recovered': 'What a crash left running at its deadline is ended by others.',
  'deadline.in_time': 'What ends before its deadline ends as it would without one.',
  'deadline.below': 'What is below an execution has its deadline at the latest.',
  'deadline.children':
    'A parent that waits for children past its deadline times out, and what is below is cancelled.',
  'deadline.finalize': 'A parent that waits for its finalize task past its deadline times out.',
}

/** A task that fails for now, again and again. */
function defineFlaky(executor: DurableExecutor, baseDelayMs: number): DurableTask<unknown, unknown> {
  return executor.task({
    id: 'flaky',
    timeoutMs: 60_000,
    retryOptions: { maxAttempts: 100, baseDelayMs },
    run: (ctx) => {
      throw new Error(`attempt ${ctx.attempt}`)
    },
  })
}

export const DEADLINE_CASES: Array<EngineConformanceCase> = [
  engineCase('deadline.valid', 'a deadline that is none is refused', async (world) => {
    const executor = world.newExecutor()
    const task = quickTask(executor, 'task')
    for (const deadlineMs of [0, -1, NaN, Infinity, LIMITS.delayMs + 1, '5', {}]) {
      await assertRefused(
        () => executor.enqueueTask(task, 1, { deadlineMs: deadlineMs as number }),
        /^Invalid deadlineMs for task task: it must be a number of milliseconds, more than 0 and at most \d+ \(limit: delayMs\)/,
      )
    }
    assert.deepEqual(await world.rows(), [])
  }),

  engineCase(
    'deadline.stops_run',
    'a run is told to stop at the deadline, and its execution has timed out for good',
    async (world) => {
      const executor = world.newExecutor()
      const { task, started } = waitingTask(executor, 'task', { maxAttempts: 5 })
      await world.until(executor.start())
      const handle = await world.until(executor.enqueueTask(task, 1, { deadlineMs: 3_000 }))
      await world.clock.advance(2_900)
      const { ctx, gate } = latest(started)
      assert.equal(ctx.cancelSignal.isCancelled(), false)
      const end = await world.finish(handle)
      assert.equal(end.status, 'timed_out')
      assert.equal(end.error.message, 'Task deadline exceeded')
      assert.ok(end.error instanceof DurableExecutionTimedOutError && !end.error.isRetryable)
      assert.ok(ctx.abortSignal.reason instanceof DurableExecutionTimedOutError)
      assert.equal(ctx.abortSignal.reason.message, 'Task deadline exceeded')
      const tookMs = end.finishedAt.getTime() - end.createdAt.getTime()
      assert.ok(tookMs >= 3_000 && tookMs <= 3_100, `${tookMs} ms`)
      gate.open('late')
      await world.clock.advance('1m')
      assert.equal((await handle.getTaskExecution()).status, 'timed_out')
      assert.equal(started.length, 1)
    },
  ),

  engineCase(
    'deadline.earlier_counts',
    'a timeout that comes before the deadline is retried, and the deadline ends the next attempt',
    async (world) => {
      const executor = world.newExecutor()
      const { task, started } = waitingTask(executor, 'task', { maxAttempts: 9, timeoutMs: 1_000 })
      await world.until(executor.start())
      const handle = await world.until(executor.enqueueTask(task, 1, { deadlineMs: 4_500 }))
      // Each of them is abandoned a second after its timeout.
      const end = await world.finish(handle)
      assert.equal(end.status === 'timed_out' && end.error.message, 'Task deadline exceeded')
      assert.equal(end.retryAttempts, 2)
      assert.equal(started.length, 3)
      assert.deepEqual(
        started.map(({ ctx }) => (ctx.abortSignal.reason as Error).message),
        ['Task timed out', 'Task timed out', 'Task deadline exceeded'],
      )
    },
  ),

  engineCase(
    'deadline.no_late_retry',
    'an execution ends with the attempt after which there is no time for another',
    async (world) => {
      const executor = world.newExecutor()
      const task = defineFlaky(executor, 4_000)
      await world.until(executor.start())
      const handle = await world.until(executor.enqueueTask(task, 1, { deadlineMs: 10_000 }))
      const end = await world.finish(handle)
      assert.equal(end.status, 'timed_out')
      assert.equal(end.error.message, 'Task deadline exceeded; the last attempt ended with: attempt 2')
      assert.ok(end.error instanceof DurableExecutionTimedOutError && !end.error.isRetryable)
      assert.equal(end.retryAttempts, 2)
      assert.ok(
        end.finishedAt.getTime() - end.createdAt.getTime() < 10_000,
        'it does not wait for the deadline',
      )
    },
  ),

  engineCase(
    'deadline.due_then',
    'what is to begin after its deadline ends at the deadline, and is not run',
    async (world) => {
      const executor = world.newExecutor()
      let runs = 0
      const task = quickTask(executor, 'task', () => (runs += 1))
      await world.until(executor.start())
      const later = { startAt: new Date(world.clock.now() + 3_600_000) }
      const handles = await world.until(
        Promise.all(
          [later, { sleepMsBeforeRun: 3_600_000 }].map((options) =>
            executor.enqueueTask(task, 1, { ...options, deadlineMs: 5_000 }),
          ),
        ),
      )
      for (const handle of handles) {
        const end = await world.finish(handle)
        assert.equal(end.status === 'timed_out' && end.error.message, 'Task deadline exceeded')
        const tookMs = end.finishedAt.getTime() - end.createdAt.getTime()
        assert.ok(tookMs >= 5_000 && tookMs <= 5_700, `${tookMs} ms`)
      }
      assert.equal(runs, 0)
    },
  ),

  engineCase(
    'deadline.not_run',
    'what nobody took before its deadline is ended without being run, and says how its last attempt ended',
    async (world) => {
      const client = world.newExecutor()
      const never = await client.enqueueTask(quickTask(client, 'task'), 1, { deadlineMs: 1_000 })
      const flaky = await client.enqueueTask(defineFlaky(client, 60_000), 1, { deadlineMs: 70_000 })
      const first = world.newExecutor()
      defineFlaky(first, 60_000)
      await world.until(first.start())
      await untilRow(world, flaky.getTaskExecutionId(), (row) => row.retryAttempts === 1)
      await world.until(first.shutdown())
      await world.clock.advance('2m')
      const second = world.newExecutor()
      let runs = 0
      quickTask(second, 'task', () => (runs += 1))
      second.task({ id: 'flaky', timeoutMs: 1_000, run: () => (runs += 1) })
      await world.until(second.start())
      const ends = [await world.finish(never), await world.finish(flaky)]
      assert.deepEqual(
        ends.map((end) => end.status === 'timed_out' && end.error.message),
        ['Task deadline exceeded', 'Task deadline exceeded; the last attempt ended with: attempt 0'],
      )
      assert.equal(runs, 0)
    },
  ),

  engineCase(
    'deadline.recovered',
    'a run whose process died is ended by another, after its lease has lapsed',
    async (world) => {
      const dying = world.newExecutor()
      const { task } = waitingTask(dying, 'task')
      await world.until(dying.start())
      const handle = await world.until(dying.enqueueTask(task, 1, { deadlineMs: 5_000 }))
      await untilRow(world, handle.getTaskExecutionId(), (row) => row.status === 'running')
      world.kill(dying)
      const other = world.newExecutor()
      let runs = 0
      quickTask(other, 'task', () => (runs += 1))
      await world.until(other.start())
      const again = await world.until(other.getTaskHandle(task, handle.getTaskExecutionId()))
      const end = await world.finish(again)
      assert.equal(
        end.status === 'timed_out' && end.error.message,
        'Task deadline exceeded; the last attempt ended with: Task expired',
      )
      assert.equal(runs, 0)
    },
  ),

  engineCase('deadline.in_time', 'what ends in time ends as ever', async (world) => {
    const executor = world.newExecutor()
    const good = quickTask(executor, 'good')
    const bad = executor.task({
      id: 'bad',
      timeoutMs: 1_000,
      run: () => {
        throw new Error('bad')
      },
    })
    await world.until(executor.start())
    const ends = [
      await world.finish(await executor.enqueueTask(good, 1, { deadlineMs: 1_000 })),
      await world.finish(await executor.enqueueTask(bad, 1, { deadlineMs: 1_000 })),
    ]
    assert.deepEqual(
      ends.map(({ status }) => status),
      ['completed', 'failed'],
    )
    assert.equal(ends[0]?.deadlineAt?.getTime(), (ends[0]?.createdAt.getTime() ?? 0) + 1_000)
    assert.equal(ends[1]?.status === 'failed' && ends[1].error.message, 'bad')
  }),
]
