/** Sentences about durable code: what a run remembers, how it is left, and what wakes it. */

import { type DurableWrites, type ExecutionEvent, type NewChild, type OutsideEvent } from './event.ts'
import { type DurableSuspensionStorageObject, type ExecutionRow } from './execution.ts'
import { callId, type NewRecord, recordRow, signalId } from './records.ts'
import { newChild } from './events.test-support.ts'
import { leaseNamed, NOW, ready, running } from './rows.test-support.ts'

type Writing = Partial<DurableWrites> & { of?: string; lease?: string }

function writes({
  of = 'x',
  lease = 'first',
  ...given
}: Writing): DurableWrites & { executionId: string; lease: ReturnType<typeof leaseNamed> } {
  const children = given.children ?? []
  return {
    executionId: of,
    lease: leaseNamed(lease),
    records: [],
    childrenTasks: children.map(({ taskId, executionId }) => ({ taskId, executionId })),
    mayExist: false,
    ...given,
    children,
  }
}

export function recorded(writing: Writing = {}): OutsideEvent {
  return { kind: 'recorded', ...writes(writing) }
}

export function suspended({
  waitsFor = [forSignal()],
  ...writing
}: Writing & { waitsFor?: ReadonlyArray<DurableSuspensionStorageObject> } = {}): OutsideEvent {
  return { kind: 'suspended', ...writes(writing), waitsFor }
}

/** The n-th signal of that name; `go` unless named. */
export function signalled({
  of = 'x',
  name = 'go',
  ordinal = 1,
}: { of?: string; name?: string; ordinal?: number } = {}): OutsideEvent {
  return { kind: 'signalled', executionId: of, name, ordinal, records: [newSignal(name, ordinal, of)] }
}

export function awaitedEnded(child: ExecutionRow): ExecutionEvent {
  return {
    kind: 'awaited_ended',
    executionId: child.parentTask?.executionId ?? '',
    childId: child.executionId,
  }
}

export function forSignal({
  name = 'go',
  ordinal = 1,
  until,
}: { name?: string; ordinal?: number; until?: number } = {}): DurableSuspensionStorageObject {
  return { kind: 'signal', name, ordinal, ...(until === undefined ? {} : { until }) }
}

/** Waits for the first `of` children named `part`. */
export function forChildren({
  of,
  left = of,
}: {
  of: number
  left?: number
}): DurableSuspensionStorageObject {
  return { kind: 'children', name: 'part', from: 1, to: of, left }
}

export function forSleep(until: number): DurableSuspensionStorageObject {
  return { kind: 'sleep', name: 'nap', until }
}

/** The result of a step. */
export function newStep(name: string = 'step', output: string = 'result', of: string = 'x'): NewRecord {
  return { executionId: callId(of, name, 1), kind: '#step', output }
}

export function newSignal(name: string = 'go', ordinal: number = 1, of: string = 'x'): NewRecord {
  return { executionId: signalId(of, name, ordinal), kind: '#signal', output: 'payload' }
}

/** The row of a record below `x`. */
export function record(of: NewRecord): ExecutionRow {
  return recordRow(ready(), of, NOW - 100)
}

/** A child that the code of `x` is to start: the n-th of the name `part`. */
export function newPart(ordinal: number): NewChild {
  return { ...newChild(ordinal), executionId: callId('x', 'part', ordinal) }
}

/** Places a row below `x`, as the n-th child that its code awaits. */
export function part(ordinal: number, row: ExecutionRow): ExecutionRow {
  const { taskId, executionId } = newPart(ordinal)
  return { ...row, executionId, taskId, parentTask: { taskId: 'task', executionId: 'x' }, depth: 2 }
}

/** What the row of an execution says of such children. */
export function withParts(of: number): Pick<ExecutionRow, 'childrenTasks' | 'childrenTasksCount'> {
  const childrenTasks = Array.from({ length: of }, (_, index) => {
    const { taskId, executionId } = newPart(index + 1)
    return { taskId, executionId }
  })
  return { childrenTasks, childrenTasksCount: of }
}

/** Suspended, far from due, and left by a run that held the `first` lease. */
export function waitingFor(...suspendedFor: Array<DurableSuspensionStorageObject>): ExecutionRow {
  return ready({ ...leaseNamed('first'), startAt: new Date(NOW + 1_000_000), suspendedFor })
}

/** The same as a storage has it that keeps only the fields of the contract. */
export function untold(row: ExecutionRow): ExecutionRow {
  const { leaseId: _1, suspendedFor: _2, depth: _3, childrenTasksCount: _4, losses: _5, ...kept } = row
  return kept
}

/** Running, resumed after it had waited for that. */
export function resumed(...suspendedFor: Array<DurableSuspensionStorageObject>): ExecutionRow {
  return running({ suspendedFor })
}
