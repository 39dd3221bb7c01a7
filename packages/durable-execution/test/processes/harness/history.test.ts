/** Looks at a round that goes on: rows go forward, and what is wrong between two looks, or at one, is found out. */

import { expect, test } from 'vitest'

import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../../../src/machine/execution.ts'
import { type Promised } from './check.ts'
import { History } from './history.ts'

const NOW = 1_700_000_000_000

function rowOf(executionId: string, fields: Partial<ExecutionRow> = {}): ExecutionRow {
  const row = createDurableTaskExecutionStorageObject({
    now: new Date(NOW),
    taskId: 'plain',
    executionId,
    retryOptions: { maxAttempts: 3 },
    sleepMsBeforeRun: 0,
    timeoutMs: 60_000,
    runInput: '1',
  })
  return { ...row, ...fields }
}

const ready = rowOf('a')
const running = rowOf('a', {
  status: 'running',
  startedAt: new Date(NOW + 10),
  expiresAt: new Date(NOW + 2_000),
})
const retried = rowOf('a', { retryAttempts: 1, startedAt: new Date(NOW + 10) })
const completed = rowOf('a', {
  status: 'completed',
  retryAttempts: 1,
  output: '2',
  startedAt: new Date(NOW + 20),
  finishedAt: new Date(NOW + 30),
})
const closed = { ...completed, isClosed: true }

/** A parent that waits, and its two children. */
function family(fields: Partial<ExecutionRow> = {}): Array<ExecutionRow> {
  const parentTask = { taskId: 'branch', executionId: 'p' }
  const childrenTasks = ['c', 'd'].map((executionId) => ({ taskId: 'plain', executionId }))
  const parent = { status: 'waiting_for_children_tasks', runOutput: '1', childrenTasks } as const
  return [
    rowOf('p', { ...parent, startedAt: new Date(NOW), ...fields }),
    rowOf('c', { parentTask }),
    rowOf('d', { parentTask }),
  ]
}

function foundIn(looks: ReadonlyArray<ReadonlyArray<ExecutionRow>>): Array<Promised> {
  const history = new History()
  for (const rows of looks) {
    history.look(rows)
  }
  return history.findings.map(({ promise }) => promise)
}

test('a row that is run, retried, completed and closed has gone forward, and is remembered as it ended', () => {
  const history = new History()
  for (const row of [ready, running, retried, completed, closed]) {
    history.look([row])
  }
  expect(history.findings).toEqual([])
  expect([...history.sightings.keys()]).toEqual(['a'])
  expect(history.looks).toBe(5)
})

const wrong: ReadonlyArray<[Promised, string, ReadonlyArray<ReadonlyArray<ExecutionRow>>]> = [
  ['nothing goes back', 'a completed row is ready again', [[completed], [ready]]],
  [
    'nothing goes back',
    'a completed row is cancelled',
    [[completed], [{ ...completed, status: 'cancelled' }]],
  ],
  ['nothing goes back', 'a closed row is open again', [[closed], [completed]]],
  ['nothing goes back', 'a retry is forgotten', [[retried], [ready]]],
  [
    'nothing goes back',
    'a claim is older than the one before',
    [[closed], [{ ...closed, startedAt: new Date(NOW) }]],
  ],
  ['nothing goes back', 'a parent that waited is ready again', [family(), family({ status: 'ready' })]],
  [
    'nothing goes back',
    'a parent has other children than before',
    [family(), family({ childrenTasks: [{ taskId: 'plain', executionId: 'c' }] })],
  ],
  ['nothing is lost', 'a row is not there any more', [[ready, rowOf('b')], [ready]]],
  [
    'the rows agree with each other',
    'a child runs below a parent that is closed',
    [family({ status: 'cancelled', isClosed: true, finishedAt: new Date(NOW) })],
  ],
  ['the rows agree with each other', 'a parent that waits lacks a child', [family().slice(0, 2)]],
]

test.for(wrong)('%s: %s', ([promise, , looks]) => {
  expect(foundIn(looks)).toContain(promise)
})

test('what is wrong at every look is told once', () => {
  const open = [{ ...ready, expiresAt: new Date(NOW) }]
  expect(foundIn([open, open, open])).toEqual(['the rows agree with each other'])
})
