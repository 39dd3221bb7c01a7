/** What must hold between the rows of a tree, however deep it is. */

import { isDeepStrictEqual } from 'node:util'

import { createDefaultSerializer } from '../../../src/index.ts'
import { type ExecutionRow } from '../../../src/machine/execution.ts'
import { isFinishedStatus } from '../../../src/machine/status.ts'
import { checkWorld } from '../../../src/machine/invariants.ts'
import { isCompensation } from '../../../src/machine/records.ts'
import { type Evidence, type Report } from './check.ts'
import { ORDER } from './order-task.ts'
import { isTreeTask, planOf } from './random-trees.ts'
import { hasFinalizeTask, isSequenceStep } from './tasks.ts'

const serializer = createDefaultSerializer()

/** A parent, what it listed and what is there of it. */
type Family = { parent: ExecutionRow; children: Array<ExecutionRow>; finalizes: Array<ExecutionRow> }

/** What checkWorld asks, all children, one finalize execution, outputs in order, and nothing left open below. */
export function checkTrees(evidence: Evidence, report: Report): void {
  const { rows } = evidence
  for (const { invariant, executionId, sentence } of checkWorld([...rows, ...evidence.records])) {
    report('the rows agree with each other', executionId, `${invariant}: ${sentence}`)
  }
  // What undoes an execution begins when that is closed.
  const others = rows.filter((row) => !isCompensation(row))
  const below = Map.groupBy(others, ({ parentTask }) => parentTask?.executionId)
  const last = lastBelow(others)
  for (const parent of rows) {
    const all = below.get(parent.executionId) ?? []
    const finalizes = all.filter(({ parentTask }) => parentTask?.isFinalizeTask === true)
    const children = all.filter(({ parentTask }) => parentTask?.isFinalizeTask !== true)
    const family = { parent, children, finalizes }
    checkChildren(family, report)
    checkFinalize(family, report)
    checkOutputs(family, report)
    checkClosed(parent, last.get(parent.executionId), evidence, report)
  }
}

/** The children appear all or none, and they are those that the function asked for. */
function checkChildren({ parent, children }: Family, report: Report): void {
  const { executionId, taskId, childrenTasks = [] } = parent
  const there = new Map(children.map((child) => [child.executionId, child]))
  const missing = childrenTasks.filter((child) => !there.has(child.executionId))
  if (missing.length > 0 || children.length !== childrenTasks.length) {
    const sentence = `${taskId} lists ${childrenTasks.length} children, ${children.length} are there`
    report('nothing is lost', executionId, sentence)
  } else if (childrenTasks.length > 0 && isTreeTask(taskId)) {
    const asked = planOf(taskId, Number(serializer.deserialize(parent.runInput))).children
    const isAsAsked = childrenTasks.every((child, index) => {
      const input = serializer.deserialize(there.get(child.executionId)?.runInput ?? 'null')
      const wanted = asked[index]
      return wanted !== undefined && input === wanted.input && isTask(child.taskId, wanted.taskId)
    })
    if (!isAsAsked || asked.length !== childrenTasks.length) {
      report('outputs are right', executionId, `${taskId} has other children than its function asked for`)
    }
  }
}

function isTask(taskId: string, wanted: string): boolean {
  return taskId === wanted || (wanted === 'sequence' && isSequenceStep(taskId))
}

function checkFinalize({ parent, finalizes }: Family, report: Report): void {
  const { executionId, taskId, status, childrenTasks } = parent
  const isParentTask = childrenTasks !== undefined && hasFinalizeTask(taskId)
  const isDue = status === 'finalize_task_failed' || (status === 'completed' && isParentTask)
  if (finalizes.length > 1 || (isDue && finalizes.length === 0)) {
    const sentence = `${taskId} has ${finalizes.length} finalize executions`
    report('each parent is finalized once', executionId, sentence)
  }
}

/** The finalize execution, or the parent's output, was given each child's output, in the order of the list. */
function checkOutputs({ parent, children, finalizes: [finalize] }: Family, report: Report): void {
  const { executionId, taskId, childrenTasks, runOutput, output } = parent
  const given = finalize?.runInput ?? output
  // What code awaits it puts together itself.
  if (childrenTasks === undefined || given === undefined || taskId === ORDER) {
    return
  }
  const outputs = new Map(children.map((child) => [child.executionId, child.output]))
  const inOrder = childrenTasks.map((child, index) => {
    const text = outputs.get(child.executionId)
    return { index, ...child, output: text === undefined ? undefined : serializer.deserialize(text) }
  })
  const whole = { output: read(runOutput), childrenTasksOutputs: inOrder }
  const wanted = isSequenceStep(taskId)
    ? inOrder[0]?.output
    : finalize === undefined
      ? whole
      : { input: read(parent.runInput), ...whole }
  if (!isDeepStrictEqual(read(given), wanted)) {
    const sentence = `what followed ${taskId} was given ${given}, not ${JSON.stringify(wanted)}`
    report('outputs are in order', executionId, sentence.slice(0, 2_000))
  }
  if (parent.status === 'completed' && finalize !== undefined && finalize.output !== output) {
    const sentence = `${taskId} has the output ${output}, and its finalize execution ${finalize.output}`
    report('outputs are in order', executionId, sentence)
  }
}

function read(text: string | undefined): unknown {
  return text === undefined ? undefined : serializer.deserialize(text)
}

/**
 * A row that ended badly is closed after all that is below it, at any depth. Rows keep no moment of closing, but it is
 * never later than the last change.
 */
function checkClosed(
  { executionId, status, updatedAt }: ExecutionRow,
  last: ExecutionRow | undefined,
  { clockSlackMs }: Evidence,
  report: Report,
): void {
  const closedAt = updatedAt.getTime()
  const endedAt = last === undefined ? -Infinity : endOf(last)
  if (isFinishedStatus(status) && status !== 'completed' && endedAt > closedAt + clockSlackMs) {
    const sentence = `${last?.executionId} below it went on for ${endedAt - closedAt} ms after it was closed, ${status}`
    report('nothing is left below what ended badly', executionId, sentence)
  }
}

function endOf({ finishedAt }: ExecutionRow): number {
  return finishedAt?.getTime() ?? Infinity
}

/** For each row, the one that ended last of all that are below it. */
function lastBelow(rows: ReadonlyArray<ExecutionRow>): Map<string, ExecutionRow> {
  const byId = new Map(rows.map((row) => [row.executionId, row]))
  const last = new Map<string, ExecutionRow>()
  for (const row of rows) {
    let above = byId.get(row.parentTask?.executionId ?? '')
    for (const seen = new Set<string>(); above !== undefined && !seen.has(above.executionId);) {
      const known = last.get(above.executionId)
      if (known === undefined || endOf(row) > endOf(known)) {
        last.set(above.executionId, row)
      }
      seen.add(above.executionId)
      above = byId.get(above.parentTask?.executionId ?? '')
    }
  }
  return last
}
