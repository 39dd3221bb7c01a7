/** What came of a run, and whether two runs came to the same. */

import { inspect } from 'node:util'

import { type DurableExecutionErrorStorageObject } from '../../base/errors.ts'
import { type Serializer } from '../../base/serializer.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { type FinishedStatus } from '../../machine/status.ts'
import { type OutsideEffect } from './outside.ts'

/**
 * What came of a run: how the execution ended, and what was done to the outside world.
 *
 * @category Testing
 */
export type CrashOutcome<TOutput = unknown> = {
  status: FinishedStatus
  /** Its output, if it is completed. */
  output?: TOutput
  /** Its error, or that of its finalize task, if it ended with one. */
  error?: DurableExecutionErrorStorageObject
  /** The errors of its children, in the order of the children, if some failed. */
  childrenErrors?: Array<{ index: number; error: DurableExecutionErrorStorageObject }>
  /** What counts of the effects, in the order in which they were done. */
  effects: Array<OutsideEffect>
  /** How many executions there are of each task, by the id of the task. A function may have enqueued some. */
  executions: Record<string, number>
}

/** How two outcomes differ. */
export type Difference = { what: string; expected: string; actual: string }

/** What a user takes of an outcome to compare. */
export type Comparing<TOutput> = ((outcome: CrashOutcome<TOutput>) => unknown) | undefined

/** `rows` are all executions, the one that was enqueued first. */
export function outcomeOf<TOutput>(
  row: ExecutionRow,
  rows: ReadonlyArray<ExecutionRow>,
  effects: ReadonlyArray<OutsideEffect>,
  serializer: Serializer,
): CrashOutcome<TOutput> {
  const error = row.finalizeTaskError ?? row.error
  const errors = row.childrenTasksErrors?.toSorted((a, b) => a.index - b.index)
  return {
    status: row.status as FinishedStatus,
    ...(row.output === undefined ? {} : { output: serializer.deserialize<TOutput>(row.output) }),
    ...(error === undefined ? {} : { error }),
    ...(errors === undefined ? {} : { childrenErrors: errors.map(({ index, error }) => ({ index, error })) }),
    effects: [...effects],
    executions: countByTask(rows),
  }
}

function countByTask(rows: ReadonlyArray<ExecutionRow>): Record<string, number> {
  const counts = new Map<string, number>()
  for (const { taskId } of rows) {
    counts.set(taskId, (counts.get(taskId) ?? 0) + 1)
  }
  return Object.fromEntries(counts)
}

/** The first thing in which the outcomes differ; undefined if they are the same. */
export function compareOutcomes<TOutput>(
  expected: CrashOutcome<TOutput>,
  actual: CrashOutcome<TOutput>,
  compare: Comparing<TOutput>,
): Difference | undefined {
  const actualParts = partsOf(actual, compare)
  for (const [what, text] of partsOf(expected, compare)) {
    const other = actualParts.get(what) ?? ''
    if (text !== other) {
      return { what, expected: text, actual: other }
    }
  }
  return undefined
}

/** The outcome as texts: what is the same has the same text. */
function partsOf<TOutput>(outcome: CrashOutcome<TOutput>, compare: Comparing<TOutput>): Map<string, string> {
  if (compare !== undefined) {
    return new Map([['what is compared', toText(compare(outcome))]])
  }
  const { status, error, childrenErrors, output, effects, executions } = outcome
  return new Map([
    ['status', status],
    ['error', toText(error)],
    ["children's errors", toText(childrenErrors)],
    ['output', toText(output)],
    ['effects', toListText(effects)],
    ['executions by task', toText(executions)],
  ])
}

// Without the order: tasks that run side by side may change places after a crash. Without the keys, which hold ids.
function toListText(effects: ReadonlyArray<OutsideEffect>): string {
  const counts = new Map<string, number>()
  for (const { name, details } of effects) {
    const line = details === undefined ? name : `${name} ${toText(details)}`
    counts.set(line, (counts.get(line) ?? 0) + 1)
  }
  const lines = [...counts].map(([line, count]) => (count === 1 ? line : `${line} (${count} times)`))
  return lines.length === 0 ? 'none' : lines.toSorted().join('\n')
}

const EXECUTION_ID = /te_[0-9a-f]{32}/g

/** Text that tells values apart as `deepEqual` does, except for execution ids: those are named by their order. */
function toText(value: unknown): string {
  const text = inspect(value, {
    depth: Infinity,
    maxArrayLength: Infinity,
    maxStringLength: Infinity,
    breakLength: Infinity,
    compact: true,
    sorted: true,
  })
  const names = new Map<string, string>()
  return text.replaceAll(EXECUTION_ID, (id) => {
    const name = names.get(id) ?? `te_${names.size + 1}`
    names.set(id, name)
    return name
  })
}
