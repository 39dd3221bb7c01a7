/**
 * What durable code remembers: records. A record is a row that is inserted finished and closed, under an id that can be
 * computed from its execution and its name, so that the primary key finds it and keeps it from being written twice.
 * Records are no executions: nothing runs them, and no rule but those here speaks of them.
 */

import { type Millis } from '../base/clock.ts'
import { cutMessage, type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import { hashName } from '../base/ids.ts'
import {
  createDurableTaskExecutionStorageObject,
  type DurableTaskRetryOptions,
  type ExecutionRow,
  type LeanRow,
} from './execution.ts'

/** What is remembered, as the `runInput` of its row says. */
export type RecordKind =
  /** The result of a step. */
  | '#step'
  /** A try of a step that failed; `startAt` is when the next one is due. */
  | '#try'
  /** A sleep; `startAt` is when it is over. */
  | '#sleep'
  /** A wait for a signal; `startAt` is when it times out. */
  | '#wait'
  /** A wait that timed out. */
  | '#timeout'
  /** A signal that came. */
  | '#signal'
  /** That something is to be undone if the execution ends badly. */
  | '#compensate'
  /** That a signal with a key came. */
  | '#key'
  /** What the execution says of its progress; the only record that changes. */
  | '#state'

/** A record to be written. */
export type NewRecord = {
  executionId: string
  kind: RecordKind
  /** The serialized value, if there is one. */
  output?: string
  /** What went wrong, if something did. */
  error?: DurableExecutionErrorStorageObject
  /** When what it speaks of is due; by default at once. */
  dueAt?: Date
  /** Tells it from another of the same kind and value. */
  token?: string
  /** It is not written if there is a row with this id. */
  unless?: string
}

// Real executions have at least a millisecond, and every storage keeps the field.
const TIMEOUT_OF_RECORDS = 0

// One for all, so that a storage in memory need not keep one for each.
const NO_RETRIES: Readonly<DurableTaskRetryOptions> = Object.freeze({ maxAttempts: 0 })

/** Whether the row is a record and no execution. */
export function isRecord({ timeoutMs }: Pick<LeanRow, 'timeoutMs'>): boolean {
  return timeoutMs === TIMEOUT_OF_RECORDS
}

/** The row of a record below the execution. */
export function recordRow(of: LeanRow, record: NewRecord, now: Millis): ExecutionRow {
  const at = new Date(now)
  const { taskId } = of
  const parentTask = { taskId, executionId: of.executionId }
  const row = createDurableTaskExecutionStorageObject({
    now: at,
    rootTask: of.rootTask ?? parentTask,
    parentTask,
    taskId,
    executionId: record.executionId,
    retryOptions: NO_RETRIES,
    sleepMsBeforeRun: 0,
    timeoutMs: TIMEOUT_OF_RECORDS,
    runInput: record.kind,
  })
  row.isClosed = true
  row.finishedAt = at
  if (record.dueAt !== undefined) {
    row.startAt = record.dueAt
  }
  if (record.token !== undefined) {
    row.runOutput = record.token
  }
  if (record.error === undefined) {
    row.status = 'completed'
    row.output = record.output ?? ''
  } else {
    row.status = 'failed'
    row.error = { ...record.error, message: cutMessage(record.error.message) }
  }
  return row
}

// What separates the parts of an id, and what escapes those in a name.
const SPECIAL = /[%!:]/g
// Databases that keep no zero in a text keep the whole of it in another form, which lies in no range of ids.
// oxlint-disable-next-line no-control-regex
const SPECIAL_IN_NAMES = /[%!:\0]/g
const MOST_CHARACTERS = 100

/**
 * What the ids of all that belongs to an execution begin with: its own id, or a hash of that where it is such an id itself,
 * so that ids stay short at any depth, and what belongs to an execution is not among what belongs to its parent.
 */
export function idPrefix(executionId: string): string {
  return executionId.length > MOST_CHARACTERS || executionId.search(SPECIAL) >= 0
    ? `r_${hashName([executionId])}`
    : executionId
}

/** The ids of all that belongs to an execution with that prefix: from the first, up to but without the second. */
export function idRange(prefix: string): { from: string; to: string } {
  return { from: `${prefix}!`, to: `${prefix};` }
}

/** The id of what the code calls by a name, the first time or the n-th: a step, a sleep, a wait, a child. */
export function callId(prefix: string, name: string, ordinal: number): string {
  return `${prefix}:${inId(name)}:${ordinal}`
}

/** The id of a failed try of a step in that attempt of its execution; all count from 0. */
export function tryId(stepId: string, attempt: number, number: number): string {
  return `${stepId}:try:${attempt}.${number}`
}

/** The id of the record that a wait has timed out. */
export function timeoutId(waitId: string): string {
  return `${waitId}:timeout`
}

/** The id of the n-th signal of a name, from 1. */
export function signalId(prefix: string, name: string, ordinal: number): string {
  return `${prefix}!signal:${inId(name)}:${ordinal}`
}

/** The id of the record that a signal of that name with that key has come. */
export function signalKeyId(prefix: string, name: string, key: string): string {
  return `${prefix}!key:${inId(name)}:${hashName([key])}`
}

/** The id of the state of the execution. */
export function stateId(prefix: string): string {
  return `${prefix}!state`
}

/** The id of the record that something is to be undone. */
export function compensationMarkId(prefix: string): string {
  return `${prefix}!compensations`
}

/** The id of the execution that undoes what an execution did that ended badly. */
export function compensationId(prefix: string): string {
  return `${prefix}!compensation`
}

/** Whether the execution undoes what its parent did. */
export function isCompensation({
  executionId,
  parentTask,
}: Pick<LeanRow, 'executionId' | 'parentTask'>): boolean {
  return (
    parentTask !== undefined &&
    executionId.endsWith('!compensation') &&
    executionId === compensationId(idPrefix(parentTask.executionId))
  )
}

/** Whether the execution is a child that its parent awaits in code, and not one that the parent returned. */
export function isAwaitedChild({
  executionId,
  parentTask,
}: Pick<LeanRow, 'executionId' | 'parentTask'>): boolean {
  return (
    parentTask !== undefined &&
    executionId.includes(':') &&
    executionId.startsWith(`${idPrefix(parentTask.executionId)}:`)
  )
}

/** Whether the id is that of a call of the name with an ordinal from one to the other. */
export function isCallAmong(
  executionId: string,
  { prefix, name, from, to }: { prefix: string; name: string; from: number; to: number },
): boolean {
  const start = `${prefix}:${inId(name)}:`
  const ordinal = executionId.startsWith(start) ? Number(executionId.slice(start.length)) : NaN
  return ordinal >= from && ordinal <= to
}

/** A name as a part of an id: what separates parts is escaped, and what is too long is hashed. */
function inId(name: string): string {
  if (name.length <= MOST_CHARACTERS && name.search(SPECIAL_IN_NAMES) < 0) {
    return name
  }
  const escaped = name.replaceAll(SPECIAL_IN_NAMES, (character) => `%${character.charCodeAt(0).toString(16)}`)
  return escaped.length > MOST_CHARACTERS ? `%h${hashName([name])}` : escaped
}
