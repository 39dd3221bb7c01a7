/** The checker on trees: one of random shape and three levels passes, and each way of spoiling it is found out. */

import { expect, test } from 'vitest'

import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../../../src/machine/execution.ts'
import { check, type Evidence, type Promised } from './check.ts'
import { expectedEnd } from './expected.ts'
import { type LedgerLine } from './ledger.ts'
import { type Below, isTreeTask, planOf, treeOf } from './random-trees.ts'

const NOW = 1_700_000_000_000
const PID = 101

type Tree = { rows: Array<ExecutionRow>; top: ExecutionRow }

let ids = 0

function newRow(taskId: string, runInput: string, fields: Partial<ExecutionRow>): ExecutionRow {
  ids += 1
  const row = createDurableTaskExecutionStorageObject({
    now: new Date(NOW),
    taskId,
    executionId: `te_${ids}`,
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 60_000,
    runInput,
  })
  const times = { startedAt: new Date(NOW), finishedAt: new Date(NOW + 500), updatedAt: new Date(NOW + 500) }
  return { ...row, ...times, status: 'completed', isClosed: true, ...fields }
}

function outputOf({ taskId, input }: Below): string {
  const end = expectedEnd(taskId, input)
  if (end?.status !== 'completed') {
    throw new Error(`${taskId} of ${input} does not complete`)
  }
  return String(end.output)
}

/** The rows that the engine leaves of a tree in which everything completes. */
function grown(below: Below): Tree {
  const { taskId, input } = below
  if (!isTreeTask(taskId)) {
    const top = newRow(taskId, String(input), { output: outputOf(below) })
    return { rows: [top], top }
  }
  const children = planOf(taskId, input).children.map(grown)
  const top = newRow(taskId, String(input), {
    output: outputOf(below),
    runOutput: String(input),
    childrenTasks: children.map((child) => ({
      taskId: child.top.taskId,
      executionId: child.top.executionId,
    })),
    childrenTasksCompletedCount: children.length,
  })
  const parentTask = { taskId, executionId: top.executionId }
  for (const child of children) {
    child.top.parentTask = parentTask
  }
  const childrenTasksOutputs = children.map((child, index) => ({
    index,
    taskId: child.top.taskId,
    executionId: child.top.executionId,
    output: Number(child.top.output),
  }))
  const finalizeInput = JSON.stringify({ input, output: input, childrenTasksOutputs })
  const finalize = newRow(`${taskId}_tie`, finalizeInput, {
    output: outputOf(below),
    parentTask: { ...parentTask, isFinalizeTask: true },
  })
  top.finalizeTask = { taskId: finalize.taskId, executionId: finalize.executionId }
  return { rows: [top, finalize, ...children.flatMap((child) => child.rows)], top }
}

// Such trees have no `bare` and no `grower` in them, whose rows look otherwise.
const ROOT = treeOf({ seed: 3, flavour: 'old', depth: 3, budget: 40 })

function evidenceOf(rows: ReadonlyArray<ExecutionRow>): Evidence {
  const noted = (
    what: LedgerLine['what'],
    at: number,
    { executionId, taskId }: ExecutionRow,
  ): LedgerLine => ({
    what,
    executionId,
    taskId,
    attempt: 0,
    pid: PID,
    at: NOW + at,
  })
  return {
    rows,
    records: [],
    ledger: rows.flatMap((row) => [noted('start', 10, row), noted('end', 400, row)]),
    acknowledged: [],
    cancels: [],
    sightings: [],
    disturbances: [],
    versions: new Map([[PID, 'old']]),
    history: [],
    offsets: new Map(),
    clockSlackMs: 100,
  }
}

test('a tree of three levels that the engine would have left passes', () => {
  const { rows } = grown(ROOT)
  expect(rows.filter(({ taskId }) => taskId === 'old_knot').length).toBeGreaterThan(2)
  expect(check(evidenceOf(rows))).toEqual([])
})

/** The rows with one of them replaced. */
type Spoil = (rows: ReadonlyArray<ExecutionRow>) => ReadonlyArray<ExecutionRow>

const replaced =
  (isIt: (row: ExecutionRow) => boolean, change: (row: ExecutionRow) => ExecutionRow): Spoil =>
  (rows) => {
    const index = rows.findLastIndex(isIt)
    return rows.map((row, at) => (at === index ? change(row) : row))
  }

const isInner = ({ taskId, parentTask }: ExecutionRow): boolean =>
  taskId === 'old_knot' && parentTask !== undefined
const isTie = ({ taskId, runInput }: ExecutionRow): boolean =>
  taskId === 'old_knot_tie' && childrenOf(runInput).length > 1

type Given = { childrenTasksOutputs: Array<{ index: number; output: number }> }

function childrenOf(runInput: string): Given['childrenTasksOutputs'] {
  return (JSON.parse(runInput) as Given).childrenTasksOutputs
}

function withChildren(change: (children: Given['childrenTasksOutputs']) => Array<unknown>): Spoil {
  return replaced(isTie, (row) => {
    const given = JSON.parse(row.runInput) as Given
    const childrenTasksOutputs = change(given.childrenTasksOutputs)
    return { ...row, runInput: JSON.stringify({ ...given, childrenTasksOutputs }) }
  })
}

const failed: Partial<ExecutionRow> = {
  status: 'children_tasks_failed',
  error: { errorType: 'generic', message: 'no', isRetryable: false },
}

/** The rows with that one failed, and closed before the last row below it has ended. */
function goingOn(
  rows: ReadonlyArray<ExecutionRow>,
  top: ExecutionRow | undefined,
): ReadonlyArray<ExecutionRow> {
  const last = rows.findLast(({ taskId }) => taskId === 'leaf' || taskId === 'plain')
  return rows.map((row) =>
    row === top ? { ...row, ...failed } : row === last ? { ...row, finishedAt: new Date(NOW + 700) } : row,
  )
}

const spoils: ReadonlyArray<[Promised, string, Spoil]> = [
  [
    'outputs are in order',
    'the outputs of two children are in another order',
    withChildren((all) => all.toReversed()),
  ],
  ['outputs are in order', 'the output of a child is missing', withChildren((all) => all.slice(1))],
  [
    'outputs are in order',
    'an output is that of somebody else',
    withChildren((all) => all.map((child) => ({ ...child, output: child.output + 1 }))),
  ],
  [
    'outputs are in order',
    'a parent far below has another output than its finalize execution',
    replaced(isInner, (row) => ({ ...row, output: '1' })),
  ],
  [
    'nothing is lost',
    'a child far below is not there',
    (rows) => rows.filter((row) => row !== rows.findLast(({ taskId }) => taskId === 'leaf')),
  ],
  [
    'outputs are right',
    'a parent has other children than it asked for',
    replaced(
      ({ taskId }) => taskId === 'leaf',
      (row) => ({ ...row, runInput: '5000', output: '10000' }),
    ),
  ],
  [
    'outputs are right',
    'a parent far below failed, and it had no reason to',
    replaced(isInner, ({ output: _output, ...row }) => ({ ...row, ...failed })),
  ],
  [
    'nothing is left below what ended badly',
    'a child goes on after its parent was closed',
    (rows) => goingOn(rows, rows.findLast(isInner)),
  ],
  [
    'nothing is left below what ended badly',
    'something two levels below goes on after the root was closed',
    (rows) => goingOn(rows, rows[0]),
  ],
  [
    'the rows agree with each other',
    'something far below runs on',
    replaced(
      ({ taskId }) => taskId === 'leaf',
      ({ output: _output, finishedAt: _finishedAt, ...row }) => ({
        ...row,
        status: 'running',
        isClosed: false,
        expiresAt: new Date(NOW + 900),
      }),
    ),
  ],
]

test.for(spoils)('%s: %s', ([promise, , spoil]) => {
  const rows = spoil(grown(ROOT).rows)
  expect(check(evidenceOf(rows)).map((finding) => finding.promise)).toContain(promise)
})
