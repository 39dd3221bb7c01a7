/** The serializer for programs whose rows were written by superjson. */

import { parse, stringify } from 'superjson'

import { type Serializer } from './base/serializer.ts'

/**
 * Creates a serializer that writes and reads superjson's format, by the shared instance of the package
 * `superjson`: classes and types of your own that are registered there are known here too. What superjson
 * cannot keep, such as functions, it leaves out without an error.
 *
 * @example
 * ```ts
 * import { createInMemoryStorage, DurableExecutor } from 'durable-execution'
 * import { createSuperjsonSerializer } from 'durable-execution/superjson'
 *
 * const executor = new DurableExecutor(createInMemoryStorage(), { serializer: createSuperjsonSerializer() })
 * ```
 *
 * @category Serializer
 */
export function createSuperjsonSerializer(): Serializer {
  return {
    serialize: (value) => stringify(value),
    deserialize: (text) => parse(text),
  }
}
