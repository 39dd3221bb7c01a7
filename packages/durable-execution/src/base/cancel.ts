/** Signals that say "stop": how they are made, waited for, and bridged to `AbortSignal`. */

import { type CancelSignal, type CancelWithReason, OwnCancelSignal } from './cancel-signal.ts'
import { type Clock, type Millis, systemClock } from './clock.ts'
import {
  DurableExecutionCancelledError,
  DurableExecutionError,
  DurableExecutionTimedOutError,
  messageOf,
} from './errors.ts'
import { type Logger } from './logger.ts'

export { type CancelSignal, type CancelWithReason, OwnCancelSignal } from './cancel-signal.ts'

/** What the makers of signals take. `undefined` and `null` mean "not given". */
type CancelSignalOptions = {
  /** Cancels the signal when it aborts. */
  abortSignal?: AbortSignal | null | undefined
  /** Gets what subscribers throw; default `createConsoleLogger('CancelSignal')`. */
  logger?: Logger | null | undefined
}

/**
 * Creates a signal and the function that cancels it.
 *
 * @param options - An `abortSignal` that cancels it too, and a `logger` for what subscribers throw
 * (default: the console).
 * @returns The signal, and the function that cancels it; calling that twice is fine.
 *
 * @example
 * ```ts
 * import { createCancelSignal } from 'durable-execution'
 *
 * const [signal, cancel] = createCancelSignal()
 * signal.onCancelled(() => console.log('stopped'))
 * cancel()
 * ```
 *
 * @category Cancel
 */
export function createCancelSignal(options?: CancelSignalOptions | null): [CancelSignal, () => void] {
  const [signal, cancel] = createReasonedCancelSignal(options)
  return [signal, () => cancel()]
}

/** Creates a signal that keeps why it was cancelled; see {@link getReason}. */
export function createReasonedCancelSignal(
  options?: CancelSignalOptions | null,
): [CancelSignal, CancelWithReason] {
  return OwnCancelSignal.create(options?.abortSignal ?? undefined, options?.logger ?? undefined)
}

/**
 * Creates a signal that is cancelled after a time. Its timer does not keep the process alive.
 *
 * @param ms - After how many milliseconds: any length up to a hundred years; 0 and less mean as soon as possible.
 * @param options - A `logger` for what subscribers throw (default: the console).
 * @throws A {@link DurableExecutionError}, not retryable, if `ms` is no finite number.
 *
 * @category Cancel
 */
export function createTimeoutCancelSignal(
  ms: Millis,
  options?: { logger?: Logger | null | undefined } | null,
  clock: Clock = systemClock,
): CancelSignal {
  if (!Number.isFinite(ms)) {
    throw new DurableExecutionError(
      `Invalid timeout: ${String(ms)} is no finite number of milliseconds`,
      false,
    )
  }
  const [signal, cancel] = createReasonedCancelSignal(options)
  clock.setTimer(ms, () => cancel(new DurableExecutionTimedOutError()))
  return signal
}

/**
 * Waits for a promise, or until the signal is cancelled. The promise itself goes on; what becomes of
 * it after that is ignored.
 *
 * @param promise - What to wait for.
 * @param signal - Ends the wait. Without one this is the promise itself.
 * @param cancelledError - What a cancelled wait rejects with, if it is a {@link DurableExecutionError};
 * of any other error only the message is taken. Default: a {@link DurableExecutionCancelledError}.
 *
 * @category Cancel
 */
export function createCancellablePromise<T>(
  promise: Promise<T>,
  signal?: CancelSignal | AbortSignal | null,
  cancelledError?: Error | null,
): Promise<T> {
  if (signal === undefined || signal === null) {
    return promise
  }
  const cancelSignal = toCancelSignal(signal)
  return new Promise((resolve, reject) => {
    const onCancelled = (): void => reject(toCancelledError(cancelledError ?? undefined, cancelSignal))
    if (cancelSignal.isCancelled()) {
      onCancelled()
    } else {
      cancelSignal.onCancelled(onCancelled)
    }
    promise.then(
      (value) => {
        cancelSignal.clearOnCancelled(onCancelled)
        resolve(value)
      },
      (error: unknown) => {
        cancelSignal.clearOnCancelled(onCancelled)
        // What the promise threw is passed on as it is, whatever it is.
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors
        reject(error)
      },
    )
  })
}

/**
 * Why the signal was cancelled: undefined while it is not. A signal that somebody else made, or that
 * was cancelled without a reason, has a {@link DurableExecutionCancelledError}.
 */
export function getReason(signal: CancelSignal): DurableExecutionError | undefined {
  if (!signal.isCancelled()) {
    return undefined
  }
  return keptReason(signal) ?? new DurableExecutionCancelledError()
}

/** An `AbortSignal` that aborts, with the reason, when the signal is cancelled. */
export function toAbortSignal(signal: CancelSignal): AbortSignal {
  if (signal instanceof OwnCancelSignal) {
    return signal.toAbortSignal()
  }
  const controller = new AbortController()
  signal.onCancelled(() => controller.abort(getReason(signal)))
  return controller.signal
}

// One accessor for all: written in a literal it would be made anew for each context, at 600 bytes and 2 µs.
const ABORT_SIGNAL: PropertyDescriptor & ThisType<{ cancelSignal: CancelSignal }> = {
  get() {
    return toAbortSignal(this.cancelSignal)
  },
  enumerable: true,
  configurable: true,
}

/**
 * Gives the context an abort signal, made when it is asked for, which most functions never do. It is a property like the
 * others, so that a copy of the context has it too.
 */
export function withAbortSignal<T extends { cancelSignal: CancelSignal }>(
  context: T,
): T & { readonly abortSignal: AbortSignal } {
  return Object.defineProperty(context, 'abortSignal', ABORT_SIGNAL) as T & {
    readonly abortSignal: AbortSignal
  }
}

/**
 * The signal as one of ours. It listens to an `AbortSignal` only while somebody listens to it, so it
 * leaves nothing behind on a signal that lives long.
 */
export function toCancelSignal(signal: CancelSignal | AbortSignal, logger?: Logger): CancelSignal {
  return 'onCancelled' in signal ? signal : OwnCancelSignal.create(signal, logger)[0]
}

function toCancelledError(given: Error | undefined, signal: CancelSignal): DurableExecutionError {
  if (given instanceof DurableExecutionError) {
    return given
  }
  if (given !== undefined) {
    return new DurableExecutionCancelledError(messageOf(given), { cause: given })
  }
  const reason = keptReason(signal)
  return new DurableExecutionCancelledError(undefined, reason && { cause: reason })
}

function keptReason(signal: CancelSignal): DurableExecutionError | undefined {
  return signal instanceof OwnCancelSignal ? signal.getReason() : undefined
}
