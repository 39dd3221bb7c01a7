/** Steps: work that is done once, and whose result is remembered. */

import { type CancelSignal, toAbortSignal } from '../../base/cancel.ts'
import {
  DurableExecutionError,
  DurableExecutionTimedOutError,
  type DurableExecutionErrorStorageObject,
  fromErrorStorageObject,
  toDurableExecutionError,
  toErrorStorageObject,
} from '../../base/errors.ts'
import { checkPayload } from '../../base/payload.ts'
import { type MaybePromise } from '../../base/promise.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { callId, tryId } from '../../machine/records.ts'
import { nextAttemptAt } from '../../machine/retry.ts'
import { type DurableStepContext } from '../../task/durable-context.ts'
import { type ResolvedStepOptions } from '../../task/durable-options.ts'
import { type Call, type DurableCalls, never } from './calls.ts'
import { checkKind } from './names.ts'

// Where rows are read one by one, so many ordinals of a name are read together.
const ORDINALS_AHEAD = 16

export type StepFunction<T> = (step: DurableStepContext) => MaybePromise<T>

/** Gives the result of the step: what is remembered, or what the function comes to now. */
export async function runStep<T>(
  calls: DurableCalls,
  call: Call,
  fn: StepFunction<T>,
  options: ResolvedStepOptions,
): Promise<T> {
  const { engine, attempt, history } = calls
  const { executionId, retryAttempts } = attempt.row
  const tryIdOf = (number: number): string => tryId(call.id, retryAttempts, number)
  const [done] = await calls.insist(async () => await history.get([call.id], idsAhead(calls, call, tryIdOf)))
  checkKind(done, '#step', call, executionId)
  if (done?.output !== undefined) {
    return engine.serializer.deserialize<T>(done.output)
  }
  for (let number = 0; ; number += 1) {
    const before = number === 0 ? undefined : await readTry(calls, tryIdOf(number - 1))
    if (before !== undefined) {
      await pauseBeforeNext(calls, call, before, number, options)
    }
    const known = await readTry(calls, tryIdOf(number))
    if (known === undefined) {
      const tried = await tryOnce(calls, call, fn, { number, id: tryIdOf(number) }, options)
      if ('value' in tried) {
        return tried.value
      }
      if (!mayRetry(tried.error, number + 1, options)) {
        throw withCause(tried.error, tried.cause)
      }
    }
  }
}

type Tried<T> = { value: T } | { error: DurableExecutionErrorStorageObject; cause: unknown }

/** Calls the function, and remembers what it comes to. */
async function tryOnce<T>(
  calls: DurableCalls,
  call: Call,
  fn: StepFunction<T>,
  { number, id }: { number: number; id: string },
  options: ResolvedStepOptions,
): Promise<Tried<T>> {
  const { engine, attempt } = calls
  let text: string
  try {
    const value: T = await calls.whileStep(callFunction(calls, call, fn, number, options))
    text = engine.serializer.serialize(value)
    checkPayload(
      text,
      `The result of step ${call.name} of task `,
      attempt.row.taskId,
      engine.options.maxPayloadBytes,
    )
  } catch (cause) {
    if (calls.isToldToLeave) {
      // It obeyed, and has not failed: the execution is run again by others.
      calls.giveBack()
      return await never()
    }
    const error = toErrorStorageObject(toDurableExecutionError(cause))
    const now = engine.store.now()
    const nextAt = error.isRetryable ? nextAttemptAt(options.retryOptions, number, now) : null
    await calls.write({ executionId: id, kind: '#try', error, dueAt: new Date(nextAt ?? now) })
    return { error, cause }
  }
  await calls.write({ executionId: call.id, kind: '#step', output: text })
  // Read back, so that the first run sees what every later one will.
  return { value: engine.serializer.deserialize<T>(text) }
}

async function callFunction<T>(
  calls: DurableCalls,
  call: Call,
  fn: StepFunction<T>,
  number: number,
  { timeoutMs }: ResolvedStepOptions,
): Promise<T> {
  const { cancelSignal } = calls.attempt
  if (timeoutMs === undefined) {
    return await fn(stepContext(call, number, cancelSignal))
  }
  const { clock } = calls.engine.doors
  return await new Promise<T>((resolve, reject) => {
    const stop = new AbortController()
    const error = new DurableExecutionTimedOutError(`Step ${call.name} timed out`)
    const timer = clock.setTimer(timeoutMs, () => {
      stop.abort(error)
      reject(error)
    })
    const context = stepContext(call, number, cancelSignal)
    const abortSignal = AbortSignal.any([context.abortSignal, stop.signal])
    const ended = async (): Promise<T> => await fn({ ...context, abortSignal })
    ended()
      .then(resolve, reject)
      .finally(() => timer.cancel())
  })
}

function stepContext({ id }: Call, number: number, cancelSignal: CancelSignal): DurableStepContext {
  return {
    attempt: number,
    idempotencyKey: id,
    cancelSignal,
    get abortSignal() {
      return toAbortSignal(cancelSignal)
    },
  }
}

/** The record of a failed try. */
async function readTry(calls: DurableCalls, executionId: string): Promise<ExecutionRow | undefined> {
  const [row] = await calls.insist(async () => await calls.history.get([executionId]))
  return row
}

/** Throws if the failed try was the last one, else waits until the next is due. */
async function pauseBeforeNext(
  calls: DurableCalls,
  call: Call,
  { error, startAt }: ExecutionRow,
  tries: number,
  options: ResolvedStepOptions,
): Promise<void> {
  if (error !== undefined && !mayRetry(error, tries, options)) {
    throw fromErrorStorageObject(error)
  }
  const until = startAt.getTime()
  if (calls.isNear(until)) {
    await calls.pauseUntil(until)
    return
  }
  await calls.outside<void>(
    {
      suspension: () => ({ kind: 'step', name: call.name, until }),
      ids: () => [],
      onLook: () => {},
    },
    ({ resolve }) => calls.at(until, () => resolve()),
  )
}

function mayRetry(
  error: DurableExecutionErrorStorageObject,
  tries: number,
  { retryOptions }: ResolvedStepOptions,
): boolean {
  return error.isRetryable && tries <= retryOptions.maxAttempts
}

/** The error as a later run would see it, with what was thrown beside it. */
function withCause(kept: DurableExecutionErrorStorageObject, cause: unknown): DurableExecutionError {
  const error = fromErrorStorageObject(kept)
  error.cause = cause
  return error
}

function idsAhead(calls: DurableCalls, call: Call, tryIdOf: (number: number) => string): Array<string> {
  const next = Array.from({ length: ORDINALS_AHEAD }, (_, index) =>
    callId(calls.prefix, call.name, call.ordinal + 1 + index),
  )
  return [tryIdOf(0), ...next]
}
