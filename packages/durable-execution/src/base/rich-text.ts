/** The text of values that plain JSON would not keep: devalue's, with stricter ideas of what it may take. */

import { DevalueError, defaultStringifyOperations, parse, stringify } from 'devalue'
import { deserializeError, serializeError } from 'serialize-error'

import {
  DurableExecutionCancelledError,
  DurableExecutionError,
  DurableExecutionTimedOutError,
} from './errors.ts'

/**
 * What the text starts with. Another format gets another number: older programs then refuse the text
 * instead of misreading it.
 */
export const RICH_TEXT_TAG = '~devalue1:'

/** The value as text behind the tag. What cannot be read back as it was is an error that names its place. */
export function writeRichText(value: unknown): string {
  try {
    return RICH_TEXT_TAG + stringify(value, REDUCERS, { operations: STRICT_OPERATIONS })
  } catch (error) {
    if (error instanceof DevalueError) {
      throw new DurableExecutionError(
        `Cannot serialize ${describe(error.value)} at value${error.path}`,
        false,
        { cause: error },
      )
    }
    throw error
  }
}

/** The value of a text that starts with the tag. */
export function readRichText(text: string): unknown {
  return parse(text.slice(RICH_TEXT_TAG.length), REVIVERS)
}

const REDUCERS = {
  Error: (value: unknown) => isError(value) && reduceError(value),
  // Copied, since a small buffer is a window on a large one that others write to.
  Buffer: (value: unknown) => Buffer.isBuffer(value) && new Uint8Array(value),
}

const REVIVERS = {
  Error: (reduced: unknown) => {
    if (
      typeof reduced !== 'object' ||
      reduced === null ||
      typeof Reflect.get(reduced, 'message') !== 'string'
    ) {
      throw new TypeError('An error was written without its message')
    }
    return withOwnClass(deserializeError(reduced))
  },
  Buffer: (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
}

function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]'
}

function reduceError(error: Error): unknown {
  const reduced: unknown = serializeError(error)
  // A `toJSON` of the error's own may have left out what makes it an error again.
  return typeof reduced === 'object' && reduced !== null && 'message' in reduced && 'name' in reduced
    ? reduced
    : serializeError(error, { useToJSON: false })
}

const OWN_CLASSES = new Map<string, object>([
  ['DurableExecutionError', DurableExecutionError.prototype],
  ['DurableExecutionTimedOutError', DurableExecutionTimedOutError.prototype],
  ['DurableExecutionCancelledError', DurableExecutionCancelledError.prototype],
])

// The engine's own errors, as the error itself or as a cause, get their methods back.
function withOwnClass(error: Error): Error {
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    const ownClass = OWN_CLASSES.get(each.name)
    if (ownClass !== undefined && typeof Reflect.get(each, 'isRetryable') === 'boolean') {
      Object.setPrototypeOf(each, ownClass)
      // As their constructors leave it.
      Object.defineProperty(each, 'name', { enumerable: true })
    }
  }
  return error
}

// devalue takes an object for what its toString tag says, so an instance of a subclass of Map would come
// back as a Map, and an array with named properties without them. Here both are refused.
const STRICT_OPERATIONS = {
  tagOf: (value: object): string => {
    const tag = defaultStringifyOperations.tagOf(value)
    const className = classNameOf(value)
    const isTagsOwnClass = tag === className || tag === `Temporal.${className}`
    return isTagsOwnClass && !hasMoreProperties(value, tag) ? tag : 'Unsupported'
  },
  shapeOf: (value: object): ReturnType<typeof defaultStringifyOperations.shapeOf> =>
    isPlainObject(value) ? defaultStringifyOperations.shapeOf(value) : { kind: 'not-plain' },
  // Only the bytes that the view shows are written, not the memory around them.
  viewInfo: (view: ArrayBufferView & { length?: number }) => ({
    buffer: view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength),
    byteOffset: 0,
    byteLength: view.byteLength,
    length: view.length ?? view.byteLength,
    bufferByteLength: view.byteLength,
  }),
}

function classNameOf(value: object): string {
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null
  return String(prototype?.constructor?.name)
}

/** Whether the object has properties that devalue does not write for its tag. */
function hasMoreProperties(value: object, tag: string): boolean {
  if (tag === 'Object') {
    return false
  }
  if (Object.getOwnPropertySymbols(value).length > 0) {
    return true
  }
  // Each element of a view is a key too, and there may be millions.
  return !ArrayBuffer.isView(value) && Object.keys(value).length > writtenKeys(value, tag)
}

function writtenKeys(value: object, tag: string): number {
  if (Array.isArray(value)) {
    return defaultStringifyOperations.indicesOf(value).length
  }
  // The characters of a boxed text.
  return tag === 'String' ? (value as { length: number } & object).length : 0
}

function isPlainObject(value: object): boolean {
  if (Object.prototype.toString.call(value) !== '[object Object]') {
    return false
  }
  const prototype = Object.getPrototypeOf(value) as object | null
  return (
    prototype === null ||
    prototype === Object.prototype ||
    // An object of another realm, such as a `node:vm` context.
    (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf'))
  )
}

function describe(refused: unknown): string {
  if (typeof refused !== 'object' || refused === null) {
    return `a ${typeof refused}`
  }
  if (typeof (refused as { then?: unknown }).then === 'function') {
    return 'a promise'
  }
  if (Array.isArray(refused)) {
    return 'an array with named properties, or of a subclass,'
  }
  if (isPlainObject(refused)) {
    return Object.hasOwn(refused, '__proto__')
      ? 'an object with a key named __proto__'
      : 'an object with a symbol as a key'
  }
  return `an instance of ${classNameOf(refused)}`
}
