/** Cases: when an attempt begins, what its function is given, and what is made of how it ends. */

import assert from 'node:assert/strict'

import {
  DurableExecutionCancelledError,
  DurableExecutionError,
  type DurableExecutionErrorStorageObject,
  DurableExecutionTimedOutError,
} from '../../../base/errors.ts'
import { type DurableTaskRetryOptions } from '../../../machine/execution.ts'
import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { type EngineWorld } from './world.ts'

/** Runs a task whose attempts end one after the other as the list says, and answers how it was. */
async function runEndings(
  world: EngineWorld,
  endings: ReadonlyArray<() => unknown>,
  options: { retryOptions?: DurableTaskRetryOptions; sleepMsBeforeRun?: number } = {},
): Promise<{
  startedAfterMs: Array<number>
  contexts: Array<DurableTaskRunContext>
  finished: Awaited<ReturnType<EngineWorld['finish']>>
}> {
  const executor = world.newExecutor()
  const startedAfterMs: Array<number> = []
  const contexts: Array<DurableTaskRunContext> = []
  const enqueuedAt = world.clock.now()
  const task = executor.task({
    id: 'task',
    timeoutMs: 10_000,
    ...options,
    run: (ctx) => {
      startedAfterMs.push(world.clock.now() - enqueuedAt)
      contexts.push(ctx)
      return endings[ctx.attempt]?.()
    },
  })
  await executor.start()
  const handle = await executor.enqueueTask(task, 'in')
  const finished = await world.finish(handle, 100 * 86_400_000)
  return { startedAfterMs, contexts, finished }
}

const throwing = (thrown: unknown) => (): never => {
  throw thrown
}

/** How the first error of a task with one retry is kept, as the second attempt sees it. */
async function keptOf(
  world: EngineWorld,
  thrown: unknown,
): Promise<DurableExecutionErrorStorageObject | undefined> {
  const { contexts } = await runEndings(world, [throwing(thrown), () => 'ok'], {
    retryOptions: { maxAttempts: 1 },
  })
  return contexts[1]?.prevError
}

const startCases: Array<EngineConformanceCase> = [
  engineCase('run.not_before_start_at', 'nothing is run before its startAt, and then it is run soon', async (world) => {
    const { startedAfterMs } = await runEndings(world, [() => 'ok'], { sleepMsBeforeRun: 3_000 })
    assert.equal(startedAfterMs.length, 1)
    assert.ok((startedAfterMs[0] ?? 0) >= 3_000 && (startedAfterMs[0] ?? 0) <= 3_100, String(startedAfterMs))
  }),

  engineCase('run.start_at', 'startAt is at first the creation plus the sleep', async (world) => {
    const executor = world.newExecutor()
    const task = executor.task({ id: 'task', timeoutMs: 1, sleepMsBeforeRun: 1_234, run: () => 'ok' })
    const handle = await executor.enqueueTask(task, undefined)
    const { createdAt, startAt } = await world.row(handle.getTaskExecutionId())
    assert.equal(createdAt.getTime(), world.clock.now())
    assert.equal(startAt.getTime() - createdAt.getTime(), 1_234)
  }),

  engineCase('run.retry_does_not_sleep', 'a retry does not sleep again', async (world) => {
    const { startedAfterMs } = await runEndings(world, [throwing(new Error('no')), () => 'ok'], {
      sleepMsBeforeRun: 60_000,
      retryOptions: { maxAttempts: 1 },
    })
    assert.ok((startedAfterMs[1] ?? Infinity) <= 60_200, String(startedAfterMs))
  }),

  engineCase('run.context', 'the function is told which task, execution and attempt it is', async (world) => {
    const { contexts, finished } = await runEndings(world, [throwing(new Error('no')), () => 'ok'], {
      retryOptions: { maxAttempts: 1 },
    })
    assert.deepEqual(
      contexts.map(({ taskId, executionId, attempt }) => ({ taskId, executionId, attempt })),
      [0, 1].map((attempt) => ({ taskId: 'task', executionId: finished.executionId, attempt })),
    )
    assert.ok(contexts.every(({ cancelSignal, shutdownSignal }) => !cancelSignal.isCancelled() && !shutdownSignal.isCancelled()))
  }),

  engineCase('run.prev_error', 'an attempt is told how the one before ended, the first one nothing', async (world) => {
    const { contexts } = await runEndings(world, [throwing(new Error('no')), () => 'ok'], {
      retryOptions: { maxAttempts: 1 },
    })
    assert.equal('prevError' in (contexts[0] ?? {}), false)
    assert.deepEqual(contexts[1]?.prevError, { errorType: 'generic', message: 'no', isRetryable: true })
  }),
]

const errorCases: Array<EngineConformanceCase> = [
  engineCase('run.own_error', 'an error of ours is kept as it is', async (world) => {
    const { finished } = await runEndings(world, [throwing(new DurableExecutionError('declined', false))], {
      retryOptions: { maxAttempts: 5 },
    })
    assert.equal(finished.status, 'failed')
    assert.equal(finished.error.message, 'declined')
    assert.equal(finished.error.isRetryable, false)
    assert.equal(finished.retryAttempts, 0)
  }),

  engineCase('run.own_error', 'a retryable error of ours is retried', async (world) => {
    const kept = await keptOf(world, new DurableExecutionTimedOutError('slow'))
    assert.deepEqual(kept, { errorType: 'timed_out', message: 'slow', isRetryable: true })
  }),

  engineCase('run.own_error', 'an error class of the user’s own with a strange type is a generic error', async (world) => {
    class StrangeError extends DurableExecutionError {
      override getErrorType(): never {
        throw new Error('no type')
      }
    }
    const { finished } = await runEndings(world, [throwing(new StrangeError('strange', false))])
    assert.equal(finished.status, 'failed')
    assert.equal(finished.error.message, 'strange')
  }),

  engineCase('run.other_error', 'any other error is retryable, with its message', async (world) => {
    const kept = await keptOf(world, new TypeError('x is no function'))
    assert.deepEqual(kept, { errorType: 'generic', message: 'x is no function', isRetryable: true })
  }),

  engineCase('run.other_error', 'a promise that rejects is a throw', async (world) => {
    const { finished } = await runEndings(world, [() => Promise.reject(new Error('later'))])
    assert.equal(finished.status === 'failed' && finished.error.message, 'later')
  }),

  engineCase('run.no_error', 'what is thrown and is no Error gives its text as message', async (world) => {
    assert.equal((await keptOf(world, 42))?.message, '42')
  }),

  engineCase('run.no_error', 'undefined thrown, or an object without a text, does not stop the engine', async (world) => {
    const nameless = Object.create(null) as object
    const { finished, contexts } = await runEndings(
      world,
      [throwing(undefined), throwing(nameless), throwing(Symbol('odd')), () => 'ok'],
      { retryOptions: { maxAttempts: 3 } },
    )
    assert.equal(finished.status, 'completed')
    assert.deepEqual(
      contexts.map(({ prevError }) => prevError?.message),
      [undefined, 'undefined', 'Unknown error', 'Symbol(odd)'],
    )
  }),

  engineCase('run.message_cut', 'a message is cut at 16 KiB', async (world) => {
    const { finished } = await runEndings(world, [throwing(new Error('x'.repeat(20_000)))])
    assert.equal(finished.status === 'failed' && finished.error.message, 'x'.repeat(16 * 1_024))
  }),

  engineCase('run.logged_once', 'the log gets the thrown thing itself, once for each attempt', async (world) => {
    const thrown = [new Error('one', { cause: 'why' }), { code: 2 }]
    await runEndings(world, thrown.map(throwing), { retryOptions: { maxAttempts: 1 } })
    const logged = world.logs.filter(({ meta }) => meta.some((entry) => thrown.includes(entry as never)))
    assert.deepEqual(
      logged.map(({ level, meta }) => ({ level, isItself: thrown.indexOf(meta[0] as never) })),
      [0, 1].map((isItself) => ({ level: 'error', isItself })),
    )
  }),
]

/** When attempts begin after the one before has failed, by the retry options. */
const DELAYS: ReadonlyArray<{ rule: string; name: string; retry: DurableTaskRetryOptions; delays: Array<number> }> = [
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

const retryCases: Array<EngineConformanceCase> = [
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

  engineCase('run.retries_counted', 'there are as many retries as maxAttempts says, and then the end', async (world) => {
    const endings = [1, 2, 3, 4].map((nth) => throwing(new Error(`failure ${nth}`)))
    const { contexts, finished } = await runEndings(world, endings, { retryOptions: { maxAttempts: 2 } })
    assert.equal(contexts.length, 3)
    assert.equal(finished.status === 'failed' && finished.error.message, 'failure 3')
    assert.equal(finished.retryAttempts, 2)
  }),

  engineCase('run.back_to_ready', 'between attempts the row is ready, counts the retry and keeps the error', async (world) => {
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
  }),

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

  engineCase('run.success_clears_error', 'a success leaves no error in the row, and its output is the run’s', async (world) => {
    const { finished } = await runEndings(world, [throwing(new Error('no')), () => ({ sum: 3 })], {
      retryOptions: { maxAttempts: 1 },
    })
    const row = await world.row(finished.executionId)
    assert.equal('error' in row && row.error !== undefined, false)
    assert.equal(row.output, row.runOutput)
    assert.deepEqual(finished.status === 'completed' && finished.output, { sum: 3 })
    assert.equal(finished.retryAttempts, 1)
  }),
]

export const ATTEMPT_CASES: Array<EngineConformanceCase> = [...startCases, ...errorCases, ...retryCases]
