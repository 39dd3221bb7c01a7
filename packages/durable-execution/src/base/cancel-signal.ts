/** A signal that says "stop": cheap to make, and listened to without leaks. */

import { DurableExecutionCancelledError, DurableExecutionError } from './errors.ts'
import { createConsoleLogger, guardLogger, type Logger } from './logger.ts'

/**
 * Tells a function that nobody wants its result any more.
 *
 * @category Cancel
 */
export type CancelSignal = {
  /**
   * Calls `fn` once, when the signal is cancelled; at once if it is cancelled already. The same
   * function given twice is called once. What it throws is logged and keeps nobody else from being called.
   */
  onCancelled(fn: () => void): void
  /** Takes back what was given to `onCancelled`; a function that was never given is fine. */
  clearOnCancelled(fn: () => void): void
  /** Whether it was cancelled. Once true, it stays true. */
  isCancelled(): boolean
}

/** Cancels a signal, saying why; the second time changes nothing. */
export type CancelWithReason = (reason?: DurableExecutionError) => void

type Subscriber = () => void

/**
 * A signal of ours. It listens to its `AbortSignal`, if it has one, only while somebody listens to it.
 *
 * One is made for each run of a task, and most are never listened to: so its functions are shared by
 * all of them, and the set of subscribers is made with the first one.
 */
export class OwnCancelSignal implements CancelSignal {
  readonly #abortSignal: AbortSignal | undefined
  readonly #logger: Logger | undefined
  #isCancelled = false
  #reason: DurableExecutionError | undefined
  #subscribers: Set<Subscriber> | undefined
  #onAbort: (() => void) | undefined
  #abortController: AbortController | undefined

  constructor(abortSignal: AbortSignal | undefined, logger: Logger | undefined) {
    this.#abortSignal = abortSignal
    this.#logger = logger
  }

  // The right to cancel is a function of its own, so that who is given the signal can only listen.
  static create(
    abortSignal: AbortSignal | undefined,
    logger: Logger | undefined,
  ): [CancelSignal, CancelWithReason] {
    const signal = new OwnCancelSignal(abortSignal, logger)
    return [signal, (reason) => signal.#cancel(reason)]
  }

  /** The same for the engine's own signals, without a function for each. */
  static cancel(signal: OwnCancelSignal, reason: DurableExecutionError | undefined): void {
    signal.#cancel(reason)
  }

  /** An `AbortSignal` that aborts, with the reason, when this one is cancelled; always the same one. */
  toAbortSignal(): AbortSignal {
    if (this.#abortController === undefined) {
      const controller = new AbortController()
      this.#abortController = controller
      this.onCancelled(() => controller.abort(this.getReason() ?? new DurableExecutionCancelledError()))
    }
    return this.#abortController.signal
  }

  isCancelled(): boolean {
    return this.#isCancelled || this.#abortSignal?.aborted === true
  }

  getReason(): DurableExecutionError | undefined {
    if (!this.#isCancelled && this.#abortSignal?.aborted === true) {
      this.#reason ??= toReason(this.#abortSignal)
    }
    return this.#reason
  }

  onCancelled(fn: Subscriber): void {
    if (this.isCancelled()) {
      this.#call(fn)
      return
    }
    this.#subscribers ??= new Set()
    this.#subscribers.add(fn)
    this.#listenToAbort()
  }

  clearOnCancelled(fn: Subscriber): void {
    this.#subscribers?.delete(fn)
    if (this.#subscribers?.size === 0) {
      this.#stopListening()
    }
  }

  #listenToAbort(): void {
    if (this.#abortSignal !== undefined && this.#onAbort === undefined) {
      const onAbort = (): void => this.#callAll()
      this.#onAbort = onAbort
      this.#abortSignal.addEventListener('abort', this.#onAbort, { once: true })
    }
  }

  #stopListening(): void {
    if (this.#onAbort !== undefined) {
      this.#abortSignal?.removeEventListener('abort', this.#onAbort)
      this.#onAbort = undefined
    }
  }

  #cancel(reason: DurableExecutionError | undefined): void {
    if (this.isCancelled()) {
      return
    }
    this.#isCancelled = true
    this.#reason = reason
    this.#callAll()
  }

  // The set is walked while it may change: one subscriber may take back another that was not called yet.
  #callAll(): void {
    this.#stopListening()
    const subscribers = this.#subscribers
    if (subscribers === undefined) {
      return
    }
    for (const fn of subscribers) {
      this.#call(fn)
    }
    this.#subscribers = undefined
  }

  #call(fn: Subscriber): void {
    try {
      const pending: unknown = fn()
      if (pending instanceof Promise) {
        pending.catch((error: unknown) => this.#log(error))
      }
    } catch (error) {
      this.#log(error)
    }
  }

  #log(error: unknown): void {
    const logger = guardLogger(this.#logger ?? createConsoleLogger('CancelSignal'), false)
    logger.error('Error in a function given to onCancelled', error)
  }
}

function toReason(aborted: AbortSignal): DurableExecutionError {
  const reason: unknown = aborted.reason
  return reason instanceof DurableExecutionError
    ? reason
    : new DurableExecutionCancelledError(undefined, { cause: reason })
}
