/** What went wrong with an execution: as an error that is thrown, and as text that is kept in a row. */

import { LIMITS } from './limits.ts'

/**
 * What kind of error ended an attempt.
 *
 * @category Errors
 */
export type DurableExecutionErrorType = 'generic' | 'timed_out' | 'cancelled'

/**
 * An error as a row keeps it.
 *
 * @category Errors
 */
export type DurableExecutionErrorStorageObject = {
  /** `timed_out` and `cancelled` lead to the statuses of those names, `generic` to `failed`. */
  errorType: DurableExecutionErrorType
  /** The message, cut at 16 KiB. */
  message: string
  /** Whether the attempt that ended with it may be retried. */
  isRetryable: boolean
}

/**
 * An error that says whether trying again may help. Throw it in a task to decide about the retry
 * yourself; the engine throws it, never retryable, for wrong use.
 *
 * @example
 * ```ts
 * import { DurableExecutionError } from 'durable-execution'
 *
 * // The card was declined: trying again would not help.
 * const declined = new DurableExecutionError('Card declined', false)
 * ```
 *
 * @category Errors
 */
export class DurableExecutionError extends Error {
  /** Whether the attempt may be retried. */
  readonly isRetryable: boolean
  /** The execution that ended with it, or goes on without who waited; where `runTask`, of the executor or in code, rejects with it. */
  declare execution?: { taskId: string; executionId: string }

  /**
   * @param message - What went wrong.
   * @param isRetryable - Whether the attempt may be retried; default true.
   * @param options - The `cause`, if another error led to this one.
   */
  constructor(message: string, isRetryable: boolean = true, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DurableExecutionError'
    this.isRetryable = isRetryable
  }

  /** Which kind of error this is: what status an execution gets that ends with it. */
  getErrorType(): DurableExecutionErrorType {
    return 'generic'
  }
}

/**
 * An attempt took longer than its `timeoutMs`, or says so itself by throwing this.
 *
 * @category Errors
 */
export class DurableExecutionTimedOutError extends DurableExecutionError {
  /**
   * @param message - What went wrong; default `Task timed out`.
   * @param isRetryable - Whether the attempt may be retried; default true.
   */
  constructor(message: string = 'Task timed out', isRetryable: boolean = true, options?: ErrorOptions) {
    super(message, isRetryable, options)
    this.name = 'DurableExecutionTimedOutError'
  }

  override getErrorType(): DurableExecutionErrorType {
    return 'timed_out'
  }
}

/**
 * An execution or a wait was cancelled. Never retryable.
 *
 * @category Errors
 */
export class DurableExecutionCancelledError extends DurableExecutionError {
  /** @param message - What went wrong; default `Task cancelled`. */
  constructor(message: string = 'Task cancelled', options?: ErrorOptions) {
    super(message, false, options)
    this.name = 'DurableExecutionCancelledError'
  }

  override getErrorType(): DurableExecutionErrorType {
    return 'cancelled'
  }
}

/** The error, with the execution that it is about. */
export function aboutExecution(
  error: DurableExecutionError,
  execution: { taskId: string; executionId: string },
): DurableExecutionError {
  return Object.assign(error, { execution })
}

/** Cuts a message that is longer than a row keeps, without splitting a character. */
export function cutMessage(message: string): string {
  if (message.length <= LIMITS.errorMessageLength) {
    return message
  }
  const cut = message.slice(0, LIMITS.errorMessageLength)
  const lastUnit = cut.charCodeAt(cut.length - 1)
  const isFirstHalf = lastUnit >= 0xd800 && lastUnit <= 0xdbff
  return isFirstHalf ? cut.slice(0, -1) : cut
}

/** Whatever was thrown, as an error of ours: one of ours as it is, anything else as a retryable one with its message. */
export function toDurableExecutionError(thrown: unknown): DurableExecutionError {
  return isOwnError(thrown) ? thrown : new DurableExecutionError(messageOf(thrown), true, { cause: thrown })
}

function isOwnError(thrown: unknown): thrown is DurableExecutionError {
  try {
    return thrown instanceof DurableExecutionError
  } catch {
    // A proxy may throw even when it is asked for its class.
    return false
  }
}

/** The message of whatever was thrown. Never throws itself. */
export function messageOf(thrown: unknown): string {
  try {
    const { message }: { message: unknown } = thrown instanceof Error ? thrown : { message: thrown }
    return String(message)
  } catch {
    return 'Unknown error'
  }
}

/** An error as a row keeps it. Never throws itself, whatever a class of the user's own answers. */
export function toErrorStorageObject(error: DurableExecutionError): DurableExecutionErrorStorageObject {
  const errorType = errorTypeOf(error)
  return {
    errorType,
    message: cutMessage(messageOf(error)),
    isRetryable: isRetryable(error) && errorType !== 'cancelled',
  }
}

function errorTypeOf(error: DurableExecutionError): DurableExecutionErrorType {
  try {
    const errorType: string = error.getErrorType()
    return errorType === 'timed_out' || errorType === 'cancelled' ? errorType : 'generic'
  } catch {
    return 'generic'
  }
}

function isRetryable(error: DurableExecutionError): boolean {
  try {
    const given: unknown = error.isRetryable
    return given === true
  } catch {
    return false
  }
}

/** The error that a row keeps, as one that can be thrown. */
export function fromErrorStorageObject(error: DurableExecutionErrorStorageObject): DurableExecutionError {
  switch (error.errorType) {
    case 'timed_out':
      return new DurableExecutionTimedOutError(error.message, error.isRetryable)
    case 'cancelled':
      return new DurableExecutionCancelledError(error.message)
    case 'generic':
      return new DurableExecutionError(error.message, error.isRetryable)
  }
}
