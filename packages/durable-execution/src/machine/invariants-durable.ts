/** What must hold of durable code: of what executions remember, and of what they wait for. */

import { type Millis } from '../base/clock.ts'
import { type ExecutionEvent } from './event.ts'
import { type DurableSuspensionStorageObject, type ExecutionRow } from './execution.ts'
import { isFinishedStatus } from './status.ts'
import { type Report } from './invariants.ts'
import { callId, idPrefix, type RecordKind, signalId, stateId } from './records.ts'

type Rows = ReadonlyMap<string, ExecutionRow>

const STATE: RecordKind = '#state'

/** What a row waits for, against what has come. `rows` has the records, too. */
export function checkSuspension(row: ExecutionRow, rows: Rows, now: Millis, report: Report): void {
  const waitsFor = row.suspendedFor ?? []
  if (waitsFor.length > 0 && row.status !== 'ready' && row.status !== 'running') {
    report('S21', `it is ${row.status}, and says that it waits for ${waitsFor.map(nameOf).join(', ')}`)
  }
  // Of one that runs it is what it waited for before.
  if (row.status !== 'ready') {
    return
  }
  const prefix = idPrefix(row.executionId)
  const isDue = row.startAt.getTime() <= now
  for (const one of waitsFor) {
    if ('until' in one && one.until !== undefined && row.startAt.getTime() > Math.max(one.until, now)) {
      report('S21', `it waits for ${nameOf(one)}, and is due later than that is over`)
    }
    if (one.kind === 'signal' && rows.has(signalId(prefix, one.name, one.ordinal)) && !isDue) {
      report('S21', `it waits for ${nameOf(one)}, which has come, and is not due`)
    }
    if (one.kind === 'children') {
      checkAwaited(one, childrenOf(one, prefix, rows), isDue, report)
    }
  }
}

type AwaitedChildren = Extract<DurableSuspensionStorageObject, { kind: 'children' }>

function childrenOf({ name, from, to }: AwaitedChildren, prefix: string, rows: Rows): Array<ExecutionRow> {
  const children: Array<ExecutionRow> = []
  for (let ordinal = from; ordinal <= to; ordinal += 1) {
    const child = rows.get(callId(prefix, name, ordinal))
    if (child !== undefined) {
      children.push(child)
    }
  }
  return children
}

function checkAwaited(
  one: AwaitedChildren,
  children: ReadonlyArray<ExecutionRow>,
  isDue: boolean,
  report: Report,
): void {
  const closed = children.filter((child) => child.isClosed)
  const left = one.to - one.from + 1 - closed.length
  if (one.left !== left) {
    report('S21', `it waits for ${one.left} of its children ${one.name}, and ${left} have not ended`)
  }
  const isOver = left === 0 || closed.some((child) => child.status !== 'completed')
  if (isOver && !isDue) {
    report('S21', `it waits for ${nameOf(one)}, of which enough have ended, and is not due`)
  }
}

function nameOf(one: DurableSuspensionStorageObject): string {
  switch (one.kind) {
    case 'sleep':
    case 'step':
      return `the ${one.kind} ${one.name}`
    case 'signal':
      return `signal ${one.name}:${one.ordinal}`
    case 'children':
      return `children ${one.name}:${one.from} to ${one.to}`
  }
}

/** What can be said of a record by itself. */
export function checkRecord(row: ExecutionRow, report: Report): void {
  const isWhole = row.isClosed && row.finishedAt !== undefined && row.parentTask !== undefined
  if (!isWhole || (row.status !== 'completed' && row.status !== 'failed')) {
    report('S22', `it is a record, and ${row.status}, ${row.isClosed ? 'closed' : 'open'}`)
  }
}

/** What one transaction made of a record. */
export function checkStepOfRecord(before: ExecutionRow, after: ExecutionRow, report: Report): void {
  if (textOf(before) !== textOf(after)) {
    report('S22', 'it is a record, and was changed')
  }
}

/** Everything that may not change. The moment of a touch says nothing. */
function textOf(row: ExecutionRow): string {
  const { updatedAt: _, output, ...rest } = row
  const kept = row.runInput === STATE ? rest : { ...rest, output }
  return JSON.stringify(Object.entries(kept).toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

/** A record that a transaction wrote. Whether an event's lease held its row is asked of that row. */
export function checkNewRecord(
  row: ExecutionRow,
  before: Rows,
  events: ReadonlyArray<ExecutionEvent>,
  report: Report,
): void {
  const of = row.parentTask?.executionId ?? ''
  const writer = events.find((event) => event.executionId === of && isWriting(event, row))
  if (writer === undefined) {
    report('S22', `it was written, and no event of ${of} says so`)
  }
  const status = before.get(of)?.status
  if (writer?.kind === 'signalled' && (status === undefined || isFinishedStatus(status))) {
    report('S22', `it was sent to ${of}, which is ${status ?? 'not there'}`)
  }
}

function isWriting(event: ExecutionEvent, { executionId }: ExecutionRow): boolean {
  switch (event.kind) {
    case 'recorded':
    case 'suspended':
      return (
        event.records.some((record) => record.executionId === executionId) ||
        (event.state !== undefined && executionId === stateId(idPrefix(event.executionId)))
      )
    case 'signalled':
      return event.records.some((record) => record.executionId === executionId)
    default:
      return false
  }
}
