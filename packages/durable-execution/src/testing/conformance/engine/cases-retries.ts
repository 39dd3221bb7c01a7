/** Cases: when a failed attempt is tried again, how often, and what is left in the row. */

import assert from 'node:assert/strict'

import {
  DurableExecutionCancelledError,
  DurableExecutionError,
  DurableExecutionTimedOutError,
} from '../../../base/errors.ts'
import { type DurableTaskRetryOptions } from '../../../machine/execution.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { runEndings, throwing } from './endings.ts'

/** When attempts begin after the one before has failed, by the retry options. */
const DELAYS: ReadonlyArray<{
  rule: string
  name: string
  retry: DurableTaskRetryOptions
  delays: Array<number>
}> = [
  {
    rule: 'run.no_base_delay',
    name: 'without a base delay a retry comes at once',
    retry: { maxAttempts: 2, delayMultiplier: 10 },
    delays: [0, 0],
  },
  {
    rule: 'run.retry_delay',
    name: 'the delay is the base times the multiplier to the power of the retries made',
    retry: { maxAttempts: 3, baseDelayMs: 1_000, delayMultiplier: 3 },
    delays: [1_000, 3_000, 9_000],
  },
  {
    rule: 'run.retry_delay',
    name: 'without a multiplier the delay stays the same, and a small one shrinks it',
    retry: { maxAttempts: 2, baseDelayMs: 2_000 },
    delays: [2_000, 2_000],
  },
  {
    rule: 'run.max_delay',
    name: 'the delay never passes the longest one',
    retry: { maxAttempts: 3, baseDelayMs: 1_000, delayMultiplier: 10, maxDelayMs: 2_500 },
    delays: [1_000, 2_500, 2_500],
  },
  {
    rule: 'run.max_delay',
    name: 'a longest delay of nothing is no delay',
    retry: { maxAttempts: 1, baseDelayMs: 1_000, maxDelayMs: 0 },
    delays: [0],
  },
]

export const RETRY_CASES: Array<EngineConformanceCase> = [
  ...DELAYS.map(({ rule, name, retry, delays }) =>
    engineCase(rule, name, async (world) => {
      const endings = [...delays.map(() => throwing(new Error('no'))), () => 'ok']
      const { startedAfterMs, finished } = await runEndings(world, endings, { retryOptions: retry })
      assert.equal(finished.status, 'completed')
      const pauses = startedAfterMs.slice(1).map((at, index) => at - (startedAfterMs[index] ?? 0))
      for (const [index, delay] of delays.entries()) {
        const pause = pauses[index] ?? -1
        assert.ok(pause >= delay && pause <= delay + 100, `${String(pauses)} for ${String(delays)}`)
      }
    }),
  ),

  engineCase(
    'run.retries_counted',
    'there are as many retries as maxAttempts says, and then the end',
    async (world) => {
      const endings = [1, 2, 3, 4].map((nth) => throwing(new Error(`failure ${nth}`)))
      const { contexts, finished } = await runEndings(world, endings, { retryOptions: { maxAttempts: 2 } })
      assert.equal(contexts.length, 3)
      assert.equal(finished.status === 'failed' && finished.error.message, 'failure 3')
      assert.equal(finished.retryAttempts, 2)
    },
  ),

  engineCase(
    'run.back_to_ready',
    'between attempts the row is ready, counts the retry and keeps the error',
    async (world) => {
      const executor = world.newExecutor()
      const task = executor.task({
        id: 'task',
        timeoutMs: 1_000,
        retryOptions: { maxAttempts: 1, baseDelayMs: 5_000 },
        run: throwing(new Error('no')),
      })
      await executor.start()
      const handle = await executor.enqueueTask(task, undefined)
      await world.clock.advance(100)
      const row = await world.row(handle.getTaskExecutionId())
      assert.equal(row.status, 'ready')
      assert.equal(row.retryAttempts, 1)
      assert.deepEqual(row.error, { errorType: 'generic', message: 'no', isRetryable: true })
      assert.equal(row.expiresAt, undefined)
      assert.ok(row.startAt.getTime() - (row.startedAt?.getTime() ?? 0) >= 5_000)
    },
  ),

  engineCase('run.final_status', 'the type of the last error makes the final status', async (world) => {
    const executor = world.newExecutor()
    const errors = {
      failed: new DurableExecutionError('generic', false),
      timed_out: new DurableExecutionTimedOutError('slow', false),
      cancelled: new DurableExecutionCancelledError('enough'),
    }
    await executor.start()
    for (const [status, error] of Object.entries(errors)) {
      const task = executor.task({ id: status, timeoutMs: 1_000, run: throwing(error) })
      const finished = await world.finish(await executor.enqueueTask(task, undefined))
      assert.equal(finished.status, status)
      assert.equal('error' in finished && finished.error.message, error.message)
    }
  }),

  engineCase(
    'run.success_clears_error',
    'a success leaves no error in the row, and its output is the run’s',
    async (world) => {
      const { finished } = await runEndings(world, [throwing(new Error('no')), () => ({ sum: 3 })], {
        retryOptions: { maxAttempts: 1 },
      })
      const row = await world.row(finished.executionId)
      assert.equal('error' in row && row.error !== undefined, false)
      assert.equal(row.output, row.runOutput)
      assert.deepEqual(finished.status === 'completed' && finished.output, { sum: 3 })
      assert.equal(finished.retryAttempts, 1)
    },
  ),
]
