/** For beliefs that cannot be broken unless the engine is wrong. */

/** Stops the work when a belief is broken. The message says which belief. */
export function assert(belief: unknown, message: string): asserts belief {
  if (belief === false || belief === undefined || belief === null) {
    throw new Error(`This is a bug in durable-execution: ${message}`)
  }
}
