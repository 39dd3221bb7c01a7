/** The table of transitions, walked cell by cell. */

import { describe, expect, test } from 'vitest'

import {
  awaitedEnded,
  forChildren,
  newStep,
  part,
  recorded,
  signalled,
  suspended,
  waitingFor,
} from './durable-dsl.test-support.ts'
import { type EventKind, type ExecutionEvent, type Refusal } from './event.ts'
import { type ExecutionRow } from './execution.ts'
import {
  ALL_STATUSES,
  type DurableTaskExecutionStatusStorageObject as Status,
  isFinishedStatus,
} from './status.ts'
import { TRANSITIONS } from './table.ts'
import {
  cancelled,
  claimed,
  closed,
  completed,
  failed,
  fannedOut,
  lost,
  newChild,
  parentEnded,
  released,
  renewed,
} from './events.test-support.ts'
import {
  child,
  failure,
  finalize,
  finished,
  lapsed,
  NOW,
  ready,
  running,
  waiting,
  waitingForFinalize,
} from './rows.test-support.ts'
import { planWithFinalize, planWithoutFinalize, tolerating } from './testing-dsl.test-support.ts'
import { type TransitionFacts } from './facts.ts'
import { transition } from './transition.ts'

type Case = {
  row: ExecutionRow
  event: ExecutionEvent
  to: Status
  /** The parent's task has no finalize task. */
  isPlain?: boolean
  /** How many children may fail. */
  toleratedFailures?: number
  /** What the children left cannot be read. */
  isUnreadable?: boolean
}

const retryable = failure('Try again', { isRetryable: true })
const about = { executionId: 'p', childId: 'c0' }
const childCompleted: ExecutionEvent = { kind: 'child_completed', ...about }
const childFailed: ExecutionEvent = { kind: 'child_failed', ...about }
const awaitedChildEnded: ExecutionEvent = { kind: 'awaited_ended', ...about }
const finalizeCompleted: ExecutionEvent = { kind: 'finalize_completed', executionId: 'p', childId: 'f' }
const finalizeFailed: ExecutionEvent = { kind: 'finalize_failed', executionId: 'p', childId: 'f' }

const OF_ATTEMPTS: ReadonlyArray<Case> = [
  { row: ready(), event: claimed(), to: 'running' },
  { row: running(), event: renewed(), to: 'running' },
  { row: running(), event: completed(), to: 'completed' },
  {
    row: running({ retryOptions: { maxAttempts: 1 } }),
    event: failed({ error: retryable }),
    to: 'ready',
  },
  { row: running(), event: failed(), to: 'failed' },
  { row: running(), event: failed({ error: failure('Late', { errorType: 'timed_out' }) }), to: 'timed_out' },
  { row: running(), event: failed({ error: failure('No', { errorType: 'cancelled' }) }), to: 'cancelled' },
  { row: running(), event: released(), to: 'ready' },
  { row: lapsed(), event: lost(), to: 'ready' },
  { row: lapsed(), event: lost({ maxLosses: 1 }), to: 'failed' },
]

const OF_CANCELS: ReadonlyArray<Case> = [
  ready(),
  running(),
  waiting({ of: 1 }),
  waitingForFinalize(),
].flatMap((row): Array<Case> => [
  { row, event: cancelled({ of: row.executionId }), to: 'cancelled' },
  { row, event: parentEnded({ of: row.executionId, message: 'Parent' }), to: 'cancelled' },
])

const OF_PARENTS: ReadonlyArray<Case> = [
  {
    row: running(),
    event: fannedOut({ of: 'x', children: [newChild(0)] }),
    to: 'waiting_for_children_tasks',
  },
  { row: running(), event: fannedOut({ of: 'x' }), to: 'waiting_for_finalize_task' },
  { row: running(), event: fannedOut({ of: 'x' }), to: 'completed', isPlain: true },
  { row: running({ depth: 1_000 }), event: fannedOut({ of: 'x', children: [newChild(0)] }), to: 'failed' },
  { row: waiting({ of: 2 }), event: childCompleted, to: 'waiting_for_children_tasks' },
  { row: waiting({ of: 1 }), event: childCompleted, to: 'waiting_for_finalize_task' },
  { row: waiting({ of: 1 }), event: childCompleted, to: 'completed', isPlain: true },
  { row: waiting({ of: 1 }), event: childCompleted, to: 'children_tasks_failed', isUnreadable: true },
  { row: waiting({ of: 1 }), event: childFailed, to: 'children_tasks_failed' },
  { row: waiting({ of: 1, deadlineAt: new Date(NOW) }), event: childFailed, to: 'timed_out' },
  {
    row: waiting({ of: 2 }),
    event: childFailed,
    to: 'waiting_for_children_tasks',
    toleratedFailures: 1,
  },
  {
    row: waiting({ of: 1 }),
    event: childFailed,
    to: 'waiting_for_finalize_task',
    toleratedFailures: 1,
  },
  { row: waiting({ of: 1 }), event: childFailed, to: 'completed', isPlain: true, toleratedFailures: 1 },
  { row: waitingForFinalize(), event: finalizeCompleted, to: 'completed' },
  { row: waitingForFinalize(), event: finalizeFailed, to: 'finalize_task_failed' },
  { row: waitingForFinalize({ deadlineAt: new Date(NOW) }), event: finalizeFailed, to: 'timed_out' },
]

const OF_DURABLE_CODE: ReadonlyArray<Case> = [
  { row: running(), event: recorded({ records: [newStep()] }), to: 'running' },
  { row: running(), event: suspended(), to: 'ready' },
  ...[ready(), running(), waiting({ of: 1 }), waitingForFinalize()].flatMap((row): Array<Case> => [
    { row, event: signalled({ of: row.executionId }), to: row.status },
    { row, event: { kind: 'awaited_ended', ...about, executionId: row.executionId }, to: row.status },
  ]),
  {
    row: waitingFor(forChildren({ of: 1 })),
    event: awaitedEnded(part(1, finished('completed'))),
    to: 'ready',
  },
]

const OF_FINISHED: ReadonlyArray<Case> = ALL_STATUSES.filter(isFinishedStatus).flatMap((status) => {
  const row = finished(status, { executionId: 'p', childrenTasksCount: 9 })
  const news = [
    childCompleted,
    childFailed,
    awaitedChildEnded,
    finalizeCompleted,
    finalizeFailed,
    closed({ of: 'p' }),
  ]
  return news.map((event): Case => ({ row, event, to: status }))
})

const CASES: ReadonlyArray<Case> = [
  ...OF_ATTEMPTS,
  ...OF_CANCELS,
  ...OF_PARENTS,
  ...OF_DURABLE_CODE,
  ...OF_FINISHED,
]

function factsFor({
  isPlain,
  isUnreadable,
  toleratedFailures = 0,
  event,
}: Omit<Case, 'row' | 'to'>): TransitionFacts {
  const isGood = event.kind.endsWith('completed')
  const child0 = child(0, finished(isGood ? 'completed' : 'failed'))
  const last = finalize(finished(isGood ? 'completed' : 'failed'))
  const output = isUnreadable === true ? undefined : 'child output'
  return {
    now: NOW,
    planOf: () => tolerating(toleratedFailures, isPlain === true ? planWithoutFinalize : planWithFinalize),
    newExecutionId: () => 'f',
    row: (id) => (id === 'f' ? last : child0),
    known: () => null,
    fanIn: () => ({
      runInput: 'input',
      runOutput: 'parent output',
      children: [{ taskId: 'child', executionId: 'c0', output }],
    }),
    output: () => 'finalize output',
    failedChildren: () => undefined,
  }
}

describe('every cell that accepts leads where it says', () => {
  test.for(CASES)('$row.status, $event.kind → $to', (each) => {
    const step = transition(each.row, each.event, factsFor(each))
    const update = 'update' in step ? step.update : undefined
    expect(step).toHaveProperty('update')
    expect(update?.status ?? each.row.status).toBe(each.to)
  })

  test('no kind of the table was forgotten here', () => {
    const tried = new Set(CASES.map(({ row, event, to }) => `${row.status} ${event.kind} ${to}`))
    const promised = ALL_STATUSES.flatMap((status) =>
      kinds().flatMap((kind) => {
        const cell = TRANSITIONS[status][kind]
        return 'to' in cell ? cell.to.map((to) => `${status} ${kind} ${to}`) : []
      }),
    )
    expect(promised.filter((kind) => !tried.has(kind))).toEqual([])
  })
})

/** Why an event of each kind is refused, whichever status refuses it. */
const REASONS: Record<EventKind, Refusal> = {
  claimed: 'not_due',
  renewed: 'stale',
  succeeded: 'stale',
  fanned_out: 'stale',
  recorded: 'stale',
  suspended: 'stale',
  signalled: 'finished',
  failed: 'stale',
  released: 'stale',
  lost: 'not_lapsed',
  cancelled: 'finished',
  parent_ended: 'finished',
  child_completed: 'not_waiting',
  child_failed: 'not_waiting',
  awaited_ended: 'not_waiting',
  finalize_completed: 'not_waiting',
  finalize_failed: 'not_waiting',
  closed: 'not_finished',
}

describe('every cell that refuses refuses, and says why', () => {
  const events: Record<EventKind, ExecutionEvent> = {
    claimed: claimed(),
    renewed: renewed(),
    // Of a lease that never held the row: one that did would be recognised as a repetition.
    succeeded: completed({ lease: 'second' }),
    fanned_out: fannedOut({ lease: 'second' }),
    recorded: recorded({ lease: 'second' }),
    suspended: suspended({ lease: 'second' }),
    signalled: signalled(),
    failed: failed({ lease: 'second' }),
    released: released({ lease: 'second' }),
    lost: lost(),
    cancelled: cancelled(),
    parent_ended: parentEnded({ of: 'x', message: 'Parent' }),
    child_completed: childCompleted,
    child_failed: childFailed,
    awaited_ended: awaitedChildEnded,
    finalize_completed: finalizeCompleted,
    finalize_failed: finalizeFailed,
    closed: closed(),
  }
  const refused = ALL_STATUSES.flatMap((status) =>
    kinds().flatMap((kind) => {
      const cell = TRANSITIONS[status][kind]
      return 'refused' in cell ? [{ status, kind, refused: cell.refused }] : []
    }),
  )

  test.for(refused)('$status, $kind: the reason is that of its kind', ({ kind, refused }) => {
    expect(refused).toBe(REASONS[kind])
  })

  test.for(refused)('$status, $kind: $refused', ({ status, kind, refused }) => {
    const row = rowIn(status)
    const before = structuredClone(row)
    const step = transition(row, events[kind], factsFor({ event: events[kind] }))
    expect([step, row]).toEqual([{ refused }, before])
  })
})

function kinds(): Array<EventKind> {
  return Object.keys(TRANSITIONS.ready) as Array<EventKind>
}

function rowIn(status: Status): ExecutionRow {
  switch (status) {
    case 'ready':
      return ready()
    case 'running':
      return running()
    case 'waiting_for_children_tasks':
      return waiting({ of: 1 })
    case 'waiting_for_finalize_task':
      return waitingForFinalize()
    default:
      return finished(status)
  }
}
