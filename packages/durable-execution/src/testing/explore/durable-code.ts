/**
 * What durable code of the small world may write or report next. How far it has come is read off what is remembered; what a
 * run knew of signals and children when it began may be less than there is by now.
 */

import { type DurableWrites, type NewChild, type OutsideEvent } from '../../machine/event.ts'
import { type DurableSuspensionStorageObject, type ExecutionRow } from '../../machine/execution.ts'
import {
  callId,
  idPrefix,
  isAwaitedChild,
  isRecord,
  type NewRecord,
  type RecordKind,
  signalId,
  timeoutId,
} from '../../machine/records.ts'
import { genericError, type Scenario, templateOf } from './scenario.ts'
import { type Run, SOON } from './world.ts'

/** One call of durable code. Those of one name are counted. */
export type Call =
  | { kind: 'step' | 'sleep'; name: string }
  /** Waits for the n-th signal of the name, if it is the n-th call that does; perhaps not for ever. */
  | { kind: 'signal'; name: string; isTimed?: boolean }
  /** Starts children, and awaits them all, unless it is not interested in them. */
  | { kind: 'children'; name: string; taskIds: ReadonlyArray<string>; isLeft?: boolean }

/** What code does, one stage after another; the calls of a stage are made together. */
export type DurableCode = ReadonlyArray<ReadonlyArray<Call>>

type Rows = ReadonlyMap<string, ExecutionRow>

/** How far a call has come. */
type Progress = {
  isOver: boolean
  /** Whether the run may not have seen that: it came since it began. */
  isNews: boolean
  /** A child failed, and the call throws. */
  isFailed?: boolean
  /** What it writes though it waits for nothing. */
  work?: Partial<DurableWrites>
  /** What it writes, and says that it waits for, if it is left. */
  wait?: { waitsFor: DurableSuspensionStorageObject; writes: Partial<DurableWrites> }
}

const SIGNAL: RecordKind = '#signal'

/** What an execution is told by others, as far as it is there: signals, and children that have ended. */
export function toldIds(rows: Rows, executionId: string): ReadonlySet<string> {
  const ids = new Set<string>()
  for (const row of rows.values()) {
    const isTelling = isRecord(row) ? row.runInput === SIGNAL : row.isClosed && isAwaitedChild(row)
    if (isTelling && row.parentTask?.executionId === executionId) {
      ids.add(row.executionId)
    }
  }
  return ids
}

/** All that the run may send next; `outcomes` is asked when its code may have come to the end. */
export function eventsOfCode(
  code: DurableCode,
  run: Run,
  rows: Rows,
  scenario: Scenario,
  outcomes: () => Array<OutsideEvent>,
): Array<OutsideEvent> {
  const events: Array<OutsideEvent> = []
  const counts = new Map<string, number>()
  for (const stage of code) {
    const calls = stage.map((call) => {
      const ordinal = (counts.get(call.name) ?? 0) + 1
      counts.set(call.name, ordinal)
      return progressOf(call, ordinal, run, rows, scenario)
    })
    events.push(...eventsOfStage(calls, run, rows))
    if (calls.some((call) => call.isFailed === true)) {
      const { executionId, lease } = run
      return [...events, { kind: 'failed', executionId, lease, error: genericError('A child failed') }]
    }
    if (calls.some((call) => !call.isOver)) {
      return events
    }
  }
  return [...events, ...outcomes()]
}

function eventsOfStage(calls: ReadonlyArray<Progress>, run: Run, rows: Rows): Array<OutsideEvent> {
  const events: Array<OutsideEvent> = []
  for (const { work } of calls) {
    if (work !== undefined) {
      events.push({ kind: 'recorded', ...writesOf(run, rows, [work]) })
    }
  }
  // Nobody leaves a run that has work to do, or one that knows that its calls are over.
  const waits = calls.flatMap(({ wait, isOver, isNews }) =>
    wait !== undefined && (!isOver || isNews) ? [wait] : [],
  )
  const isWorking = calls.some(({ isOver, wait }) => !isOver && wait === undefined)
  if (waits.length > 0 && !isWorking) {
    const writes = writesOf(
      run,
      rows,
      waits.map((wait) => wait.writes),
    )
    events.push({ kind: 'suspended', ...writes, waitsFor: waits.map(({ waitsFor }) => waitsFor) })
  }
  return events
}

function writesOf(
  { executionId, lease }: Run,
  rows: Rows,
  parts: ReadonlyArray<Partial<DurableWrites>>,
): DurableWrites & Pick<Run, 'executionId' | 'lease'> {
  const children = parts.flatMap((part) => part.children ?? [])
  const before = rows.get(executionId)?.childrenTasks ?? []
  const added = children.map((child) => ({ taskId: child.taskId, executionId: child.executionId }))
  return {
    executionId,
    lease,
    records: parts.flatMap((part) => part.records ?? []),
    children,
    childrenTasks: children.length === 0 ? [] : [...before, ...added],
    mayExist: false,
  }
}

function progressOf(call: Call, ordinal: number, run: Run, rows: Rows, scenario: Scenario): Progress {
  const prefix = idPrefix(run.executionId)
  const id = callId(prefix, call.name, ordinal)
  switch (call.kind) {
    case 'step':
      return rows.has(id)
        ? { isOver: true, isNews: false }
        : {
            isOver: false,
            isNews: false,
            work: { records: [{ executionId: id, kind: '#step', output: 'result' }] },
          }
    case 'sleep': {
      const { name } = call
      const records: Array<NewRecord> = [{ executionId: id, kind: '#sleep', dueAt: SOON }]
      // Whoever finds the record was made due by the time.
      return rows.has(id)
        ? { isOver: true, isNews: false }
        : {
            isOver: false,
            isNews: false,
            wait: { waitsFor: { kind: 'sleep', name, until: SOON.getTime() }, writes: { records } },
          }
    }
    case 'signal':
      return progressOfWait(call, ordinal, id, run, rows)
    case 'children':
      return progressOfChildren(call, ordinal, run, rows, scenario)
  }
}

function progressOfWait(
  { name, isTimed }: Extract<Call, { kind: 'signal' }>,
  ordinal: number,
  id: string,
  run: Run,
  rows: Rows,
): Progress {
  const signal = signalId(idPrefix(run.executionId), name, ordinal)
  if (rows.has(timeoutId(id)) || run.knows.has(signal)) {
    return { isOver: true, isNews: false }
  }
  const isThere = rows.has(signal)
  if (isTimed === true && rows.has(id)) {
    // It was made due by the time, and looks once more as it says so.
    const records: Array<NewRecord> = [{ executionId: timeoutId(id), kind: '#timeout', unless: signal }]
    return { isOver: isThere, isNews: isThere, work: { records } }
  }
  const records: Array<NewRecord> = rows.has(id) ? [] : [{ executionId: id, kind: '#wait' }]
  const until = isTimed === true ? { until: SOON.getTime() } : {}
  const waitsFor = { kind: 'signal', name, ordinal, ...until } as const
  return { isOver: isThere, isNews: isThere, wait: { waitsFor, writes: { records } } }
}

function progressOfChildren(
  { name, taskIds, isLeft }: Extract<Call, { kind: 'children' }>,
  from: number,
  run: Run,
  rows: Rows,
  scenario: Scenario,
): Progress {
  const prefix = idPrefix(run.executionId)
  const ids = taskIds.map((_, index) => callId(prefix, name, from + index))
  const children = taskIds.flatMap((taskId, index): Array<NewChild> => {
    const executionId = ids[index] ?? ''
    return rows.has(executionId) ? [] : [{ ...templateOf(scenario, taskId), executionId, runInput: 'input' }]
  })
  const work = children.length > 0 ? { work: { children } } : {}
  if (isLeft === true) {
    return { isOver: children.length === 0, isNews: false, ...work }
  }
  const closed = ids.filter((id) => rows.get(id)?.isClosed === true)
  const failed = closed.filter((id) => rows.get(id)?.status !== 'completed')
  const isOver = closed.length === ids.length || failed.length > 0
  const isKnown = closed.every((id) => run.knows.has(id)) || failed.some((id) => run.knows.has(id))
  const to = from + ids.length - 1
  return {
    isOver,
    isNews: isOver && !isKnown,
    isFailed: failed.length > 0,
    ...work,
    wait: { waitsFor: { kind: 'children', name, from, to, left: ids.length }, writes: { children } },
  }
}
