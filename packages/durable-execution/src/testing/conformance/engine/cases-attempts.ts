/** Cases: when an attempt begins, what its function is given, and what is made of what it throws. */

import assert from 'node:assert/strict'

import {
  DurableExecutionError,
  type DurableExecutionErrorStorageObject,
  DurableExecutionTimedOutError,
} from '../../../base/errors.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { runEndings, throwing } from './endings.ts'
import { type EngineWorld } from './world.ts'

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
  engineCase(
    'run.not_before_start_at',
    'nothing is run before its startAt, and then it is run soon',
    async (world) => {
      const { startedAfterMs } = await runEndings(world, [() => 'ok'], { sleepMsBeforeRun: 3_000 })
      assert.equal(startedAfterMs.length, 1)
      assert.ok(
        (startedAfterMs[0] ?? 0) >= 3_000 && (startedAfterMs[0] ?? 0) <= 3_100,
        String(startedAfterMs),
      )
    },
  ),

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

  engineCase(
    'run.turns',
    'functions that compute without waiting leave turns of the event loop between them',
    async (world) => {
      let computedMs = 0
      const { clock } = world
      const executor = world.newExecutor({
        doors: { clock: { ...clock, monotonicNow: () => clock.monotonicNow() + computedMs } },
      })
      const seen: Array<string> = []
      const task = executor.task({
        id: 'computing',
        timeoutMs: 60_000,
        run: () => {
          computedMs += 100
          seen.push('run')
          clock.setImmediate(() => seen.push('turn'))
        },
      })
      const handles = await executor.enqueueTasks(task, [1, 2, 3])
      await world.until(executor.start())
      await Promise.all(handles.map((handle) => world.finish(handle)))
      assert.deepEqual(seen.slice(0, 5), ['run', 'turn', 'run', 'turn', 'run'])
    },
  ),

  engineCase('run.context', 'the function is told which task, execution and attempt it is', async (world) => {
    const { contexts, finished } = await runEndings(world, [throwing(new Error('no')), () => 'ok'], {
      retryOptions: { maxAttempts: 1 },
    })
    assert.deepEqual(
      contexts.map(({ taskId, executionId, attempt }) => ({ taskId, executionId, attempt })),
      [0, 1].map((attempt) => ({ taskId: 'task', executionId: finished.executionId, attempt })),
    )
    assert.ok(
      contexts.every(
        ({ cancelSignal, shutdownSignal }) => !cancelSignal.isCancelled() && !shutdownSignal.isCancelled(),
      ),
    )
  }),

  engineCase(
    'run.context',
    'an attempt that has ended leaves no listener on shutdownSignal',
    async (world) => {
      const executor = world.newExecutor()
      let calls = 0
      const task = executor.task({
        id: 'listening',
        timeoutMs: 1_000,
        run: (ctx) => ctx.shutdownSignal.onCancelled(() => (calls += 1)),
      })
      await executor.start()
      await world.finish(await executor.enqueueTask(task, undefined))
      await world.until(executor.shutdown())
      assert.equal(calls, 0)
    },
  ),

  engineCase('run.context', 'a copy of the context has all that the context has', async (world) => {
    const executor = world.newExecutor()
    const task = executor.task({
      id: 'copying',
      timeoutMs: 5_000,
      run: async (ctx) => {
        const copy = { ...ctx, mine: 1 }
        assert.equal(copy.abortSignal, ctx.abortSignal)
        assert.equal(copy.abortSignal.aborted, false)
        assert.equal(copy.executionId, ctx.executionId)
        await copy.sleep('none', 0)
        const { step } = copy
        return await step('of a copy', (inner) => {
          const copyOfStep = { ...inner }
          assert.equal(copyOfStep.abortSignal, ctx.abortSignal)
          return copyOfStep.attempt
        })
      },
    })
    await executor.start()
    const finished = await world.finish(await executor.enqueueTask(task, undefined))
    assert.equal(finished.status, 'completed')
    assert.equal(finished.output, 0)
  }),

  engineCase(
    'run.prev_error',
    'an attempt is told how the one before ended, the first one nothing',
    async (world) => {
      const { contexts } = await runEndings(world, [throwing(new Error('no')), () => 'ok'], {
        retryOptions: { maxAttempts: 1 },
      })
      assert.equal('prevError' in (contexts[0] ?? {}), false)
      assert.deepEqual(contexts[1]?.prevError, { errorType: 'generic', message: 'no', isRetryable: true })
    },
  ),
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

  engineCase(
    'run.own_error',
    'an error class of the user’s own with a strange type is a generic error',
    async (world) => {
      class StrangeError extends DurableExecutionError {
        override getErrorType(): never {
          throw new Error('no type')
        }
      }
      const { finished } = await runEndings(world, [throwing(new StrangeError('strange', false))])
      assert.equal(finished.status, 'failed')
      assert.equal(finished.error.message, 'strange')
    },
  ),

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

  engineCase(
    'run.no_error',
    'undefined thrown, or an object without a text, does not stop the engine',
    async (world) => {
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
    },
  ),

  engineCase('run.message_cut', 'a message is cut at 16 KiB', async (world) => {
    const { finished } = await runEndings(world, [throwing(new Error('x'.repeat(20_000)))])
    assert.equal(finished.status === 'failed' && finished.error.message, 'x'.repeat(16 * 1_024))
  }),

  engineCase(
    'run.logged_once',
    'the log gets the thrown thing itself, once for each attempt',
    async (world) => {
      const thrown = [new Error('one', { cause: 'why' }), { code: 2 }]
      await runEndings(world, thrown.map(throwing), { retryOptions: { maxAttempts: 1 } })
      const logged = world.logs.filter(({ meta }) => meta.some((entry) => thrown.includes(entry as never)))
      assert.deepEqual(
        logged.map(({ level, meta }) => ({ level, isItself: thrown.indexOf(meta[0] as never) })),
        [0, 1].map((isItself) => ({ level: 'error', isItself })),
      )
    },
  ),
]

export const ATTEMPT_CASES: Array<EngineConformanceCase> = [...startCases, ...errorCases]
