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
