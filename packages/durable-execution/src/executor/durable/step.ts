/** Steps: work that is done once, and whose result is remembered. */

import { type CancelSignal, toAbortSignal, withAbortSignal } from '../../base/cancel.ts'
import {
  DurableExecutionError,
  DurableExecutionTimedOutError,
  type DurableExecutionErrorStorageObject,
  fromErrorStorageObject,
  messageOf,
  toDurableExecutionError,
  toErrorStorageObject,
} from '../../base/errors.ts'
import { checkPayload } from '../../base/payload.ts'
import { type Millis } from '../../base/clock.ts'
import { type MaybePromise } from '../../base/promise.ts'
import { callId, tryId } from '../../machine/records.ts'
import { nextAttemptAt } from '../../machine/retry.ts'
import { type DurableStepContext } from '../../task/durable-context.ts'
import { type ResolvedStepOptions } from '../../task/durable-options.ts'
import { type Call, type DurableCalls } from './calls.ts'
import { insideFunction, type StepKind } from './inside.ts'
import { checkKind } from './names.ts'
import { never } from './never.ts'

// Where rows are read one by one, so many ordinals of a name are read together.
const ORDINALS_AHEAD = 16

export type StepFunction<T> = (step: DurableStepContext) => MaybePromise<T>

/** How one kind of step does its work. */
export type Work = {
  /** Calls its function once; gives the text of the result, or rejects if that failed. */
  perform: (number: number) => MaybePromise<string>
  /** Remembers the text. */
  remember: (text: string) => Promise<void>
}

/** Gives the result of the step: what is remembered, or what the function comes to now. */
export function runStep<T>(
  calls: DurableCalls,
  call: Call,
  fn: StepFunction<T>,
  options: ResolvedStepOptions,
): Promise<T> {
  const { engine, attempt, writer } = calls
  const toText = (value: T): string => {
    const text = engine.serializer.serialize(value)
    const about = `The result of step ${call.name} of task `
    checkPayload(text, about, attempt.row.taskId, engine.options.maxPayloadBytes)
    return text
  }
  return runTries<T>(calls, call, options, () => ({
    // Many steps wait for nothing: a promise for each of their parts is most of what they cost.
    perform: (number) => {
      const value = calls.whileStep(() => callInTime(calls, call, fn, number, options, 'step'))
      return value instanceof Promise ? value.then(toText) : toText(value)
    },
    remember: (text) => writer.write({ executionId: call.id, kind: '#step', output: text }),
  }))
}

/** Gives what is remembered of the call, or what its work comes to now, tried as often as the options say. */
export function runTries<T>(
  calls: DurableCalls,
  call: Call,
  options: ResolvedStepOptions,
  workOf: () => Work,
): Promise<T> {
  const { engine, attempt, history } = calls
  const id = tryId(call.id, attempt.row.retryAttempts, 0)
  const isNew = history.isWhole && history.known(call.id) === undefined && history.known(id) === undefined
  if (!isNew) {
    return resume<T>(calls, call, options, workOf)
  }
  calls.writer.assertRoom(1)
  const work = workOf()
  const performed = perform(work)
  return typeof performed === 'string'
    ? work.remember(performed).then(
        () => engine.serializer.deserialize<T>(performed),
        async (cause: unknown) => {
          const tried = await afterRefusal(calls, call, { number: 0, id }, options, cause)
          if ('text' in tried) {
            return engine.serializer.deserialize<T>(tried.text)
          }
          throw asThrown(tried)
        },
      )
    : tryUntilDone<T>(calls, call, options, work, performed)
}

function perform(work: Work): MaybePromise<string> {
  try {
    return work.perform(0)
  } catch (error) {
    return Promise.reject(error)
  }
}

/** The same where the call was made before, or that must be read first. */
async function resume<T>(
  calls: DurableCalls,
  call: Call,
  options: ResolvedStepOptions,
  workOf: () => Work,
): Promise<T> {
  const { engine, attempt, history } = calls
  const { executionId, retryAttempts } = attempt.row
  const guesses = (): Array<string> => [tryId(call.id, retryAttempts, 0), ...idsAhead(calls, call)]
  const [done] = await calls.insist(async () => await history.get([call.id], guesses))
  checkKind(done, '#step', call, executionId)
  if (done?.output !== undefined) {
    return engine.serializer.deserialize<T>(done.output)
  }
  calls.writer.assertRoom(1)
  return await tryUntilDone<T>(calls, call, options, workOf())
}

/** Does the work, `first` being its first try if that was begun already. */
async function tryUntilDone<T>(
  calls: DurableCalls,
  call: Call,
  options: ResolvedStepOptions,
  work: Work,
  first?: Promise<string>,
): Promise<T> {
  for (let number = 0; ; number += 1) {
    const id = tryId(call.id, calls.attempt.row.retryAttempts, number)
    const begun = number === 0 ? first : undefined
    const failure = begun === undefined ? await readTry(calls, id) : undefined
    const tried = failure ?? (await tryOnce(calls, call, work, { number, id, begun }, options))
    if ('text' in tried) {
      // Read back, so that the first run sees what every later one will.
      return calls.engine.serializer.deserialize<T>(tried.text)
    }
    if (!tried.error.isRetryable || number >= options.retryOptions.maxAttempts) {
      throw asThrown(tried)
    }
    await pauseUntil(calls, call, tried.nextAt)
  }
}

/** A try that failed, and when the next one is due. */
type Failure = { error: DurableExecutionErrorStorageObject; nextAt: Millis; cause?: unknown }

/** Does the work, and remembers what it comes to. */
async function tryOnce(
  calls: DurableCalls,
  call: Call,
  work: Work,
  { number, id, begun }: { number: number; id: string; begun: Promise<string> | undefined },
  options: ResolvedStepOptions,
): Promise<{ text: string } | Failure> {
  if (begun === undefined && !calls.mayBegin()) {
    return await never()
  }
  let text: string
  try {
    text = await (begun ?? work.perform(number))
  } catch (cause) {
    if (calls.isToldToLeave) {
      // It obeyed, and has not failed: the execution is run again by others.
      calls.leaveWhenIdle()
      return await never()
    }
    return await rememberFailure(calls, { number, id }, options, cause)
  }
  try {
    await work.remember(text)
  } catch (cause) {
    return await afterRefusal(calls, call, { number, id }, options, cause)
  }
  return { text }
}

/** What a try came to whose result is said not to be stored: it may be there, where replies were lost. */
async function afterRefusal(
  calls: DurableCalls,
  call: Call,
  about: { number: number; id: string },
  options: ResolvedStepOptions,
  cause: unknown,
): Promise<{ text: string } | Failure> {
  const text = await calls.lookForResult(call)
  return text === undefined ? await rememberFailure(calls, about, options, cause) : { text }
}

/** The try failed: a later run does not do it again. */
async function rememberFailure(
  calls: DurableCalls,
  { number, id }: { number: number; id: string },
  options: ResolvedStepOptions,
  cause: unknown,
): Promise<Failure> {
  const error = toErrorStorageObject(toDurableExecutionError(cause))
  const now = calls.engine.store.now()
  const nextAt = (error.isRetryable ? nextAttemptAt(options.retryOptions, number, now) : null) ?? now
  const record = { executionId: id, kind: '#try' as const, dueAt: new Date(nextAt) }
  try {
    await calls.writer.write({ ...record, error })
  } catch (refusal) {
    // It is what the error says that the storage does not take: that the try failed is remembered all the same.
    await calls.writer.write({ ...record, error: { ...error, message: messageOf(refusal) } })
  }
  return { error, nextAt, cause }
}

/** Calls the function of a step, for as long as its options allow. */
export function callInTime<T>(
  calls: DurableCalls,
  call: Call,
  fn: StepFunction<T>,
  number: number,
  { timeoutMs }: ResolvedStepOptions,
  kind: StepKind,
): MaybePromise<T> {
  const { cancelSignal } = calls.attempt
  if (timeoutMs === undefined) {
    return insideFunction(calls.mark, kind, call.name, () => fn(contextOf(call, number, cancelSignal)))
  }
  const { clock } = calls.engine.doors
  return new Promise<T>((resolve, reject) => {
    const stop = new AbortController()
    const error = new DurableExecutionTimedOutError(`Step ${call.name} timed out`)
    const timer = clock.setTimer(timeoutMs, () => {
      stop.abort(error)
      reject(error)
    })
    const abortSignal = AbortSignal.any([toAbortSignal(cancelSignal), stop.signal])
    const context = { attempt: number, idempotencyKey: call.id, cancelSignal, abortSignal }
    const ended = async (): Promise<T> => await insideFunction(calls.mark, kind, call.name, () => fn(context))
    ended()
      .then(resolve, reject)
      .finally(() => timer.cancel())
  })
}

function contextOf({ id }: Call, number: number, cancelSignal: CancelSignal): DurableStepContext {
  return withAbortSignal({ attempt: number, idempotencyKey: id, cancelSignal })
}

/** The failed try that is remembered. */
async function readTry(calls: DurableCalls, executionId: string): Promise<Failure | undefined> {
  const { history } = calls
  const [row] = history.isWhole
    ? [history.known(executionId)]
    : await calls.insist(async () => await history.get([executionId]))
  return row?.error === undefined ? undefined : { error: row.error, nextAt: row.startAt.getTime() }
}

async function pauseUntil(calls: DurableCalls, call: Call, until: Millis): Promise<void> {
  if (calls.moments.isNear(until)) {
    await calls.moments.until(until)
    return
  }
  await calls.outside<void>(
    {
      suspension: () => ({ kind: 'step', name: call.name, until }),
      ids: () => [],
      onLook: () => {},
    },
    ({ resolve }) => calls.moments.at(until, () => resolve()),
  )
}

/** The error as a later run would see it, with what was thrown beside it. */
function asThrown({ error: kept, cause }: Failure): DurableExecutionError {
  const error = fromErrorStorageObject(kept)
  if (cause !== undefined) {
    error.cause = cause
  }
  return error
}

function idsAhead(calls: DurableCalls, call: Call): Array<string> {
  return Array.from({ length: ORDINALS_AHEAD }, (_, index) =>
    callId(calls.prefix, call.name, call.ordinal + 1 + index),
  )
}
