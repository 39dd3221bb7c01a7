/** Small types and helpers around promises. */

/** A value, or a promise of one. */
export type MaybePromise<T> = T | Promise<T>

/** Whether `await` would wait for the value. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}

/**
 * The promise; that nobody has handled its rejection yet does not end the process. For promises that somebody may come to only much
 * later, or in another process.
 */
export function handledLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
