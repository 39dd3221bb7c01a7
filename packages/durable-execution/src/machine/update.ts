/** What an update does to a row. Storages follow it; the rules apply it to their working copies. */

import { type ExecutionUpdate, type LeanRow } from './execution.ts'

// These run twice for each outcome. A field that is cleared is set to `undefined`: deleting it would
// make the object slow for the rest of its life. Walking the names costs a third of `Object.entries`.

/** The row as the update leaves it; the given row is not changed. A field that is cleared is `undefined`. */
export function applyUpdate<R extends LeanRow>(row: R, update: ExecutionUpdate): R {
  const next = { ...row }
  updateInPlace(next, update)
  return next
}

/** Changes the row as the update says. */
export function updateInPlace(row: LeanRow, update: ExecutionUpdate): void {
  assign(row, update)
  if (update.unsetError === true && row.error !== undefined) {
    clear(row, 'error')
  }
  if (update.unsetExpiresAt === true && row.expiresAt !== undefined) {
    clear(row, 'expiresAt')
  }
}

/** One update that does what the two do one after the other. */
export function mergeUpdates(first: ExecutionUpdate, second: ExecutionUpdate): ExecutionUpdate {
  const merged = { ...first }
  mergeInPlace(merged, second)
  return merged
}

/** Makes the first update do what the two do one after the other. */
export function mergeInPlace(first: ExecutionUpdate, second: ExecutionUpdate): void {
  assign(first, second)
  // An update that sets a field and unsets it leaves it unset. A flag that says false unsets nothing.
  mergeFlag(first, second, 'error', 'unsetError')
  mergeFlag(first, second, 'expiresAt', 'unsetExpiresAt')
}

/** `merged` has the flag of the first already. */
function mergeFlag(
  merged: ExecutionUpdate,
  second: ExecutionUpdate,
  name: 'error' | 'expiresAt',
  flag: 'unsetError' | 'unsetExpiresAt',
): void {
  if (second[flag] === true) {
    merged[flag] = true
    if (merged[name] !== undefined) {
      clear(merged, name)
    }
  } else if (second[name] !== undefined) {
    if (merged[flag] !== undefined) {
      clear(merged, flag)
    }
  }
}

/** Sets what the update gives, the flags apart. */
function assign(target: LeanRow | ExecutionUpdate, update: ExecutionUpdate): void {
  const fields = target as Record<string, unknown>
  let name: keyof ExecutionUpdate
  for (name in update) {
    if (name !== 'unsetError' && name !== 'unsetExpiresAt' && update[name] !== undefined) {
      fields[name] = update[name]
    }
  }
}

function clear(target: object, name: string): void {
  ;(target as Record<string, unknown>)[name] = undefined
}
