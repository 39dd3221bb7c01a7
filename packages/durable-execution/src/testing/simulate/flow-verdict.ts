/** What must be true of durable code when everything has come to its end. */

import { type ExecutionRow } from '../../machine/execution.ts'
import {
  callId,
  compensationId,
  idPrefix,
  isAwaitedChild,
  isRecord,
  signalId,
  tryId,
} from '../../machine/records.ts'
import { type SimViolation } from './observer.ts'
import { BRANCHES, undoName } from './sim-flow.ts'
import { type Sent } from './sim-signals.ts'

type Rows = ReadonlyMap<string, ExecutionRow>
type Report = (executionId: string, sentence: string) => void

/** What those outside know. */
export type FlowEvidence = {
  sent: ReadonlyArray<Sent>
  /** The executions that enqueues under a key were answered with. */
  keyed: ReadonlyMap<string, ReadonlySet<string>>
}

/** All that is wrong in the end. */
export function judgeFlows(rows: Rows, { sent, keyed }: FlowEvidence): Array<SimViolation> {
  const violations: Array<SimViolation> = []
  const report: Report = (executionId, sentence) => {
    violations.push({ invariant: 'code', executionId, sentence })
  }
  judgeSignals(rows, sent, report)
  judgeKeys(rows, keyed, report)
  judgeChildren(rows, report)
  for (const row of rows.values()) {
    if (!isRecord(row) && row.taskId === 'flow') {
      judgeUndoing(rows, row, report)
    }
  }
  return violations
}

/** What was accepted is there, once; and in the order in which one was sent after another was accepted. */
function judgeSignals(rows: Rows, sent: ReadonlyArray<Sent>, report: Report): void {
  const places = new Map(sent.map((each) => [each, placesOf(rows, each)]))
  for (const [{ executionId, name, token, key, acceptedAs, refusal }, found] of places) {
    if (found.length > 1) {
      report(executionId, `${token} of name ${name} was sent once, and has come ${found.length} times`)
    }
    if (acceptedAs !== undefined && found.length === 0 && key === undefined) {
      report(executionId, `${token} of name ${name} was accepted, and is not there`)
    }
    if (refusal?.endsWith(' not found') === true) {
      report(executionId, `${token} was refused, though the execution is there: ${refusal}`)
    }
  }
  for (const [executionId, own] of Map.groupBy(sent, (each) => each.executionId)) {
    for (const group of Map.groupBy(own, ({ name, key }) => `${name} under ${key ?? ''}`).values()) {
      const come = group.flatMap((each) => places.get(each) ?? []).length
      if (group[0]?.key !== undefined && come !== 1 && group.some((each) => each.acceptedAs !== undefined)) {
        report(executionId, `signals ${group[0].name} with the key ${group[0].key} have come ${come} times`)
      }
    }
    for (const later of own) {
      const [place = Infinity] = places.get(later) ?? []
      const isOutOfOrder = own.some(
        (earlier) =>
          earlier.name === later.name &&
          (earlier.acceptedAs ?? Infinity) <= later.sentAfter &&
          (places.get(earlier)?.[0] ?? 0) > place,
      )
      if (isOutOfOrder) {
        report(executionId, `${later.token} was sent after another was accepted, and comes before it`)
      }
    }
  }
}

/** The ordinals under which the signal came. */
function placesOf(rows: Rows, { executionId, name, token }: Sent): Array<number> {
  const prefix = idPrefix(executionId)
  const places: Array<number> = []
  for (let nth = 1; ; nth += 1) {
    const row = rows.get(signalId(prefix, name, nth))
    if (row === undefined) {
      return places
    }
    if (row.output?.includes(`"${token}"`) === true) {
      places.push(nth)
    }
  }
}

/** Under a key there is one execution. */
function judgeKeys(rows: Rows, keyed: FlowEvidence['keyed'], report: Report): void {
  for (const [key, executionIds] of keyed) {
    const [executionId = ''] = executionIds
    if (executionIds.size > 1) {
      report(executionId, `enqueues under ${key} were answered with ${[...executionIds].join(' and ')}`)
    }
  }
  const marks = [...rows.values()].flatMap(({ parentTask, runInput }) =>
    parentTask === undefined ? (/"mark":"([^"]+)"/.exec(runInput)?.[1] ?? []) : [],
  )
  for (const [mark, { length }] of Map.groupBy(marks, (mark) => mark)) {
    if (length > 1) {
      report('', `under ${mark} there are ${length} executions`)
    }
  }
}

/** What code awaits is one execution however often the code runs, in the list of its parent. */
function judgeChildren(rows: Rows, report: Report): void {
  for (const row of rows.values()) {
    const parent = row.parentTask === undefined ? undefined : rows.get(row.parentTask.executionId)
    const isBelowFlow = parent?.taskId === 'flow' && !isRecord(row)
    if (
      isBelowFlow &&
      row.executionId !== compensationId(idPrefix(parent.executionId)) &&
      !isAwaitedChild(row)
    ) {
      report(row.executionId, `it is below ${parent.executionId}, whose code awaits no such child`)
    }
  }
}

// More than any flow has.
const MOST_UNDOS = 40

/** Of what ended badly all that was registered is undone, the last first; of what completed nothing. */
function judgeUndoing(rows: Rows, row: ExecutionRow, report: Report): void {
  const prefix = idPrefix(row.executionId)
  const undoing = rows.get(compensationId(prefix))
  const branches = BRANCHES.map((branch) => registeredIn(rows, prefix, branch))
  const registered = branches.flat()
  if (row.status === 'completed' || registered.length === 0 || row.executionId.endsWith('!compensation')) {
    if (undoing !== undefined) {
      report(row.executionId, `it is ${row.status}, ${registered.length} were registered, and it is undone`)
    }
    return
  }
  if (undoing === undefined) {
    report(row.executionId, `it is ${row.status}, and nothing undoes ${registered.join(', ')}`)
    return
  }
  // Given up like any other execution whose process dies again and again.
  if (undoing.error?.message.startsWith('Task lost ') === true) {
    return
  }
  const places = new Map([...rows.keys()].map((executionId, place) => [executionId, place]))
  const undonePrefix = idPrefix(undoing.executionId)
  for (const branch of branches) {
    const done = branch.map((name) => {
      const stepId = callId(undonePrefix, name, 1)
      const at = places.get(stepId) ?? places.get(tryId(stepId, undoing.retryAttempts, 0))
      if (at === undefined) {
        report(row.executionId, `${name} was registered, and is not undone: ${undoing.status}`)
      }
      return at ?? NaN
    })
    if (done.some((place, index) => place > (done[index - 1] ?? Infinity))) {
      report(row.executionId, `what was registered is not undone from the last to the first`)
    }
  }
}

/** The names of what is registered to be undone, in the order in which its branch came to it. */
function registeredIn(rows: Rows, prefix: string, branch: string): Array<string> {
  return Array.from({ length: MOST_UNDOS }, (_, nth) => undoName(nth, branch)).filter((name) =>
    rows.has(callId(prefix, name, 1)),
  )
}
