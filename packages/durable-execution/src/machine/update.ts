/** What an update does to a row. Storages follow it; the rules apply it to their working copies. */

import { type ExecutionUpdate, type LeanRow } from './execution.ts'

/** The row as the update leaves it; the given row is not changed. */
export function applyUpdate<R extends LeanRow>(row: R, update: ExecutionUpdate): R {
  const next: Record<string, unknown> = { ...row }
  for (const [key, value] of Object.entries(update)) {
    if (value !== undefined && key !== 'unsetError' && key !== 'unsetExpiresAt') {
      next[key] = value
    }
  }
  // Only what is there is deleted: deleting makes an object slow for the rest of its life.
  if (update.unsetError === true && 'error' in next) {
    delete next['error']
  }
  if (update.unsetExpiresAt === true && 'expiresAt' in next) {
    delete next['expiresAt']
  }
  return next as R
}

/** One update that does what the two do one after the other. */
export function mergeUpdates(first: ExecutionUpdate, second: ExecutionUpdate): ExecutionUpdate {
  const merged = { ...first }
  const given = Object.entries(second).filter(([, value]) => value !== undefined)
  Object.assign(merged, Object.fromEntries(given))
  // An update that sets a field and unsets it leaves it unset. A flag that says false unsets nothing.
  if (second.unsetError === true) {
    delete merged.error
  } else if (second.error !== undefined) {
    delete merged.unsetError
  } else if (first.unsetError === true) {
    merged.unsetError = true
  }
  if (second.unsetExpiresAt === true) {
    delete merged.expiresAt
  } else if (second.expiresAt !== undefined) {
    delete merged.unsetExpiresAt
  } else if (first.unsetExpiresAt === true) {
    merged.unsetExpiresAt = true
  }
  return merged
}
