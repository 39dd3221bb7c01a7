/** Durable code: what a run remembers on its way, how it is left while it waits, and what wakes it. */

import { type Millis } from '../base/clock.ts'
import { LIMITS } from '../base/limits.ts'
import { holdsLease } from './attempt.ts'
import { dueBy } from './deadline.ts'
import { type DurableWrites, type ExecutionEvent } from './event.ts'
import {
  type DurableSuspensionStorageObject,
  type ExecutionRow,
  type ExecutionUpdate,
  type LeanRow,
} from './execution.ts'
import { awaitedChildRows } from './parent.ts'
import { callId, idPrefix, isCallAmong, recordRow, signalId, stateId } from './records.ts'

type EventOf<K extends ExecutionEvent['kind']> = Extract<ExecutionEvent, { kind: K }>

/** What is known of another row; null if there is none. */
export type KnownRow = Pick<LeanRow, 'status' | 'isClosed'> | null

/** Rows by id; undefined for one that was not looked for yet. */
type KnownRows = { known: (executionId: string) => KnownRow | undefined }

/** What a rule decided, which rows it must know first, or that the lease is not held. */
export type DurableStep =
  | {
      update: ExecutionUpdate
      inserts: Array<ExecutionRow>
      /** A change of a record: the state, which is the only one that changes. */
      updateBeside?: { executionId: string; update: ExecutionUpdate }
    }
  | { needs: 'rows'; ids: Array<string> }
  | 'stale'

/**
 * Whether the row that was claimed has never been run before, as far as it tells: each way back into `ready` leaves a trace in a
 * field of the engine's own. Signals may have come all the same.
 */
export function isFirstRun({ depth, suspendedFor, losses = 0, retryAttempts, error }: LeanRow): boolean {
  // Every row is given a depth, and no claim sets it: it is there where the storage keeps such fields.
  const isTold = depth !== undefined
  return isTold && suspendedFor === undefined && losses === 0 && retryAttempts === 0 && error === undefined
}

/** A run goes on, and remembers something. */
export function recorded(
  row: LeanRow,
  event: EventOf<'recorded'>,
  rows: KnownRows,
  now: Millis,
): DurableStep {
  if (!holdsLease(row, event.lease)) {
    return 'stale'
  }
  const unknown = unknownOf(row, event, rows)
  return unknown.length > 0
    ? { needs: 'rows', ids: unknown }
    : {
        update: { ...ownUpdate(event), updatedAt: new Date(now) },
        ...written(row, event, rows, now),
      }
}

/** A run is left, since all that it still does is to wait for something outside. */
export function suspended(
  row: LeanRow,
  event: EventOf<'suspended'>,
  rows: KnownRows,
  now: Millis,
): DurableStep {
  if (!holdsLease(row, event.lease)) {
    return 'stale'
  }
  const prefix = idPrefix(row.executionId)
  const awaited = event.waitsFor.flatMap((one) => idsAwaited(prefix, one))
  const unknown = [...unknownOf(row, event, rows), ...awaited.filter((id) => rows.known(id) === undefined)]
  if (unknown.length > 0) {
    return { needs: 'rows', ids: unknown }
  }
  const waitsFor = event.waitsFor.map((one) => recount(prefix, one, rows))
  // What came before the execution was left was told to nobody: it is due at once.
  const hasCome = waitsFor.some((one) => isOver(one, prefix, rows))
  return {
    update: {
      ...ownUpdate(event),
      status: 'ready',
      startAt: new Date(hasCome ? now : dueBy(row, dueAt(waitsFor, now), now)),
      suspendedFor: waitsFor,
      unsetExpiresAt: true,
      losses: 0,
      updatedAt: new Date(now),
    },
    ...written(row, event, rows, now),
  }
}

/** A signal came: it is kept, and whoever waits for it is woken. */
export function signalled(
  row: LeanRow,
  event: EventOf<'signalled'>,
  now: Millis,
): { update: ExecutionUpdate; inserts: Array<ExecutionRow> } {
  const waits = (one: DurableSuspensionStorageObject): boolean =>
    one.kind === 'signal' && one.name === event.name && one.ordinal <= event.ordinal
  return {
    update: isWaitingFor(row, waits) ? woken(row, now) : { updatedAt: new Date(now) },
    inserts: event.records.map((record) => recordRow(row, record, now)),
  }
}

/** A child that is awaited in code has ended; null if nobody waits for it any more. */
export function awaitedEnded(parent: LeanRow, child: LeanRow, now: Millis): ExecutionUpdate | null {
  const prefix = idPrefix(parent.executionId)
  const isMeant = (one: DurableSuspensionStorageObject): boolean =>
    one.kind === 'children' && isCallAmong(child.executionId, { ...one, prefix })
  if (!isWaitingFor(parent, isMeant)) {
    return null
  }
  const suspendedFor = parent.suspendedFor?.map((one) =>
    one.kind === 'children' && isMeant(one) ? { ...one, left: one.left - 1 } : one,
  )
  const isNews =
    child.status !== 'completed' ||
    suspendedFor === undefined ||
    suspendedFor.some((one) => one.kind === 'children' && isMeant(one) && one.left <= 0)
  return {
    ...(isNews ? woken(parent, now) : { updatedAt: new Date(now) }),
    ...(suspendedFor === undefined ? {} : { suspendedFor }),
  }
}

/** Whether an execution is suspended and waits for such a thing. */
function isWaitingFor(row: LeanRow, isMeant: (one: DurableSuspensionStorageObject) => boolean): boolean {
  if (row.status !== 'ready') {
    return false
  }
  // Whatever puts a row back says what it waits for, if only that it waits for nothing. One that was run before and says
  // nothing is of a storage that does not keep that: it may be suspended, or a retry that comes early for once.
  return row.suspendedFor?.some(isMeant) ?? row.startedAt !== undefined
}

function woken(row: LeanRow, now: Millis): ExecutionUpdate {
  return {
    status: 'ready',
    startAt: new Date(Math.min(row.startAt.getTime(), now)),
    updatedAt: new Date(now),
  }
}

/** Ids of rows that must be known before the writes can be decided. */
function unknownOf(row: LeanRow, writes: DurableWrites, rows: KnownRows): Array<string> {
  const { records, children, state, mayExist } = writes
  const ids = records.flatMap(({ unless }) => (unless === undefined ? [] : [unless]))
  if (mayExist) {
    ids.push(...[...records, ...children].map((one) => one.executionId))
    if (state?.isThere === false) {
      ids.push(stateId(idPrefix(row.executionId)))
    }
  }
  return ids.filter((id) => rows.known(id) === undefined)
}

/** What is written beside the row itself. */
function written(
  row: LeanRow,
  writes: DurableWrites,
  rows: KnownRows,
  now: Millis,
): Pick<Exclude<DurableStep, 'stale' | { needs: 'rows' }>, 'inserts' | 'updateBeside'> {
  const isThere = (executionId: string): boolean => writes.mayExist && rows.known(executionId) !== null
  const records = writes.records.filter(
    ({ executionId, unless }) =>
      !isThere(executionId) && (unless === undefined || rows.known(unless) === null),
  )
  const inserts = records.map((record) => recordRow(row, record, now))
  if (writes.children.length > 0) {
    const children = writes.children.filter(({ executionId }) => !isThere(executionId))
    inserts.push(...awaitedChildRows(row, children, now))
  }
  if (writes.state === undefined) {
    return { inserts }
  }
  const { output } = writes.state
  const executionId = stateId(idPrefix(row.executionId))
  if (writes.state.isThere || isThere(executionId)) {
    return { inserts, updateBeside: { executionId, update: { output, updatedAt: new Date(now) } } }
  }
  return { inserts: [...inserts, recordRow(row, { executionId, kind: '#state', output }, now)] }
}

/** What the row itself says of what was written. */
function ownUpdate({
  childrenTasks,
  hasCompensations,
}: DurableWrites): Pick<ExecutionUpdate, 'childrenTasks' | 'childrenTasksCount' | 'hasCompensations'> {
  return {
    // The cascade of a storage without an index of parents reads the list.
    ...(childrenTasks.length === 0
      ? {}
      : { childrenTasks: [...childrenTasks], childrenTasksCount: childrenTasks.length }),
    ...(hasCompensations === true ? { hasCompensations } : {}),
  }
}

/** The ids of the rows that end the wait. */
function idsAwaited(prefix: string, one: DurableSuspensionStorageObject): Array<string> {
  switch (one.kind) {
    case 'sleep':
    case 'step':
      return []
    case 'signal':
      return [signalId(prefix, one.name, one.ordinal)]
    case 'children':
      return Array.from({ length: one.to - one.from + 1 }, (_, index) =>
        callId(prefix, one.name, one.from + index),
      )
  }
}

function recount(
  prefix: string,
  one: DurableSuspensionStorageObject,
  rows: KnownRows,
): DurableSuspensionStorageObject {
  return one.kind === 'children'
    ? { ...one, left: idsAwaited(prefix, one).filter((id) => rows.known(id)?.isClosed !== true).length }
    : one
}

/** Whether what is waited for is there already. */
function isOver(one: DurableSuspensionStorageObject, prefix: string, rows: KnownRows): boolean {
  switch (one.kind) {
    case 'sleep':
    case 'step':
      return false
    case 'signal':
      return rows.known(signalId(prefix, one.name, one.ordinal)) !== null
    case 'children':
      return (
        one.left === 0 ||
        idsAwaited(prefix, one).some((id) => {
          const child = rows.known(id)
          return child?.isClosed === true && child.status !== 'completed'
        })
      )
  }
}

function dueAt(waitsFor: ReadonlyArray<DurableSuspensionStorageObject>, now: Millis): Millis {
  const moments = waitsFor.flatMap((one) => ('until' in one && one.until !== undefined ? [one.until] : []))
  return Math.min(now + LIMITS.delayMs, ...moments)
}
