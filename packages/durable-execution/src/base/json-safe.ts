/** Decides whether plain JSON keeps a value exactly. */

// Deeper values, and cycles, which are endlessly deep, are left to a format that knows references.
const MOST_LEVELS = 200

// References are copied by JSON. A few do not matter; but a small value that refers to itself over and
// over unfolds to an endless text, so beyond this many objects a second sight of one says no.
const OBJECTS_BEFORE_TRACKING = 10_000

/**
 * Whether `JSON.parse(JSON.stringify(value))` deep-equals the value, down to prototypes, keys, -0 and
 * holes. Measured on Node 24: see serializer.
 */
export function isJsonSafe(value: unknown): boolean {
  return isSafe(value, MOST_LEVELS, { count: 0, seen: undefined })
}

type Walk = { count: number; seen: Set<object> | undefined }

function isSafe(value: unknown, levelsLeft: number, walk: Walk): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value) && (value !== 0 || 1 / value > 0)
    case 'object':
      return value === null || (levelsLeft > 0 && isSafeObject(value, levelsLeft - 1, walk))
    default:
      return false
  }
}

function isSafeObject(value: object, levelsLeft: number, walk: Walk): boolean {
  walk.count += 1
  if (walk.count > OBJECTS_BEFORE_TRACKING) {
    walk.seen ??= new Set()
    if (walk.seen.has(value)) {
      return false
    }
    walk.seen.add(value)
  }
  if ((value as { toJSON?: unknown }).toJSON !== undefined) {
    return false
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Array.prototype) {
    return Array.isArray(value) && areSafeElements(value, levelsLeft, walk)
  }
  return (
    prototype === Object.prototype && areSafeProperties(value as Record<string, unknown>, levelsLeft, walk)
  )
}

function areSafeElements(elements: ReadonlyArray<unknown>, levelsLeft: number, walk: Walk): boolean {
  // A hole reads as undefined, which is not safe either. Named properties, such as those of a match
  // of a regular expression, would be lost.
  for (let index = 0; index < elements.length; index += 1) {
    if (!isSafe(elements[index], levelsLeft, walk)) {
      return false
    }
  }
  return (
    Object.keys(elements).length === elements.length && Object.getOwnPropertySymbols(elements).length === 0
  )
}

function areSafeProperties(value: Record<string, unknown>, levelsLeft: number, walk: Walk): boolean {
  for (const key of Object.keys(value)) {
    if (key === '__proto__' || !isSafe(value[key], levelsLeft, walk)) {
      return false
    }
  }
  return Object.getOwnPropertySymbols(value).length === 0
}
