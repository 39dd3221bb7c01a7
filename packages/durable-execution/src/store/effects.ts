/** What a committed transaction means for those who wait: for work, for an end, for a cancellation, for closing. */

import { type Millis } from '../base/clock.ts'
import { type LeanRow } from '../machine/execution.ts'
import { isFinishedStatus } from '../machine/status.ts'
import { type Decision } from '../machine/family.ts'
import { type RecordKind } from '../machine/records.ts'

/** A finished row whose consequences are still to be written. */
export type OpenExecution = {
  executionId: string
  parentTask: { taskId: string; executionId: string } | undefined
}

/** What changed, told after the commit. Hints for this process; the rows are the truth. */
export type Effects = {
  /** They have reached a final status. */
  finishedIds: Array<string>
  /** The rows of those, where they are known whole. */
  finishedRows?: Pick<ReadonlyMap<string, LeanRow>, 'get'> | undefined
  /** When the earliest of the rows that became ready is due; undefined if none did. */
  readyAtMs: Millis | undefined
  /** When the latest of those is due. */
  lastReadyAtMs: Millis | undefined
  /** They are finished and not closed. */
  open: Array<OpenExecution>
  /** They were cancelled while somebody was running them. */
  cancelledRunningIds: Array<string>
}

export const NO_EFFECTS: Effects = {
  finishedIds: [],
  readyAtMs: undefined,
  lastReadyAtMs: undefined,
  open: [],
  cancelledRunningIds: [],
}

const SIGNAL: RecordKind = '#signal'

/** What a decision, once committed, means. */
export function effectsOf(decision: Decision): Effects {
  const effects: Effects = { ...NO_EFFECTS, finishedIds: [], open: [], cancelledRunningIds: [] }
  decision.updates.forEach((update, executionId) => {
    const row = decision.rows.get(executionId)
    if (row === undefined || update.status === undefined) {
      return
    }
    if (row.status === 'ready') {
      addReady(effects, row.startAt.getTime())
    }
    if (isFinishedStatus(row.status)) {
      effects.finishedIds.push(executionId)
      if (!row.isClosed) {
        effects.open.push({ executionId, parentTask: row.parentTask })
      }
      if (update.needsPromiseCancellation === true) {
        effects.cancelledRunningIds.push(executionId)
      }
    }
  })
  for (const row of decision.inserts) {
    if (row.status === 'ready') {
      addReady(effects, row.startAt.getTime())
    } else if (row.runInput === SIGNAL) {
      // A run may be waiting for it, here or elsewhere.
      effects.finishedIds.push(row.executionId)
    }
  }
  return effects
}

/** One more row has become ready. */
export function addReady(effects: Effects, readyAtMs: Millis): void {
  effects.readyAtMs = Math.min(effects.readyAtMs ?? Infinity, readyAtMs)
  effects.lastReadyAtMs = Math.max(effects.lastReadyAtMs ?? -Infinity, readyAtMs)
}

/** What two committed transactions mean together. */
export function mergeEffects(first: Effects, second: Effects): Effects {
  const merged: Effects = {
    ...first,
    finishedRows: undefined,
    finishedIds: [...first.finishedIds, ...second.finishedIds],
    open: [...first.open, ...second.open],
    cancelledRunningIds: [...first.cancelledRunningIds, ...second.cancelledRunningIds],
  }
  if (second.readyAtMs !== undefined) {
    addReady(merged, second.readyAtMs)
    addReady(merged, second.lastReadyAtMs ?? second.readyAtMs)
  }
  return merged
}
