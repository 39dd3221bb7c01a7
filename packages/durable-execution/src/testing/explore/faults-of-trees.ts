/** Planted faults between parents and what is below them: fan-out, fan-in, closing, cascades. */

import { type OutsideEvent } from '../../machine/event.ts'
import { type LeanRow } from '../../machine/execution.ts'
import { decide } from '../../machine/family.ts'
import { childRows, fanIn } from '../../machine/parent.ts'
import { type Engine } from './engine.ts'
import { type PlantedFault } from './faults.ts'
import { afterwards, type Touched, withFamily, withUpdates } from './wrong-decisions.ts'
import { type FindKind, NOW } from './world.ts'

const CLOSING: ReadonlySet<FindKind> = new Set(['close', 'close_top'])

export const TREE_FAULTS: ReadonlyArray<PlantedFault> = [
  {
    name: 'children without their parent',
    what: 'inserts the children though the update of their parent matched nothing: the run had lost its lease',
    breaks: { decide: afterwards(insertChildrenAnyway) },
    scenario: 'stalls and lost replies',
    caughtBy: ['S8'],
  },
  {
    name: 'counting without a lock',
    what: 'counts a child by reading the parent first and writing the sum later, without a lock on it',
    breaks: {
      remembers: CLOSING,
      believe: (_, locked, found) => ({
        ...locked,
        childrenTasksCompletedCount: found.childrenTasksCompletedCount,
      }),
    },
    scenario: 'closing by sweeps',
    caughtBy: ['S9'],
  },
  {
    name: 'two closers both win',
    what: 'whether a finished row is closed already is not read again: both closers tell its parent',
    breaks: {
      remembers: CLOSING,
      believe: (_, locked, found, candidateId) =>
        locked.executionId === candidateId ? { ...locked, isClosed: found.isClosed } : locked,
    },
    scenario: 'closing by sweeps',
    caughtBy: ['S9', 'S12'],
  },
  {
    name: 'finalized twice',
    what: 'both the closed row and its parent are taken as they were found: both closers enqueue a finalize execution',
    breaks: { remembers: CLOSING, believe: (_, _locked, found) => found },
    scenario: 'closing of the last child',
    caughtBy: ['S10'],
  },
  {
    name: 'closing overwrites a cancel',
    what: "the parent's status is not read again when a child is closed, and its cancel is overwritten",
    breaks: {
      remembers: CLOSING,
      believe: (_, locked, found, candidateId) =>
        locked.executionId === candidateId ? locked : { ...locked, status: found.status },
    },
    scenario: 'closing by sweeps',
    caughtBy: ['S1', 'S14'],
  },
  {
    name: 'the parent is not told',
    what: 'a closer that does not know the task of the parent closes the child all the same',
    breaks: {
      decide: withFamily((family, rules) => ({
        ...family,
        missingParentIds: parentsNotKnown(family.rows, rules),
      })),
    },
    scenario: 'a parent that one executor does not know',
    caughtBy: ['S9', 'S12'],
  },
  {
    name: 'closed before the cascade',
    what: 'a row that ended badly is closed before what is below it is cancelled',
    breaks: { isClosingAfterBelow: false },
    scenario: 'two children and finalize',
    caughtBy: ['S13'],
  },
  {
    name: 'the cascade forgets finalize',
    what: 'a cascade looks for children only, and leaves the finalize execution running',
    breaks: {
      isBelow: (row, parentId) =>
        row.parentTask?.executionId === parentId && row.parentTask.isFinalizeTask !== true,
    },
    scenario: 'two children and finalize',
    caughtBy: ['S13'],
  },
  {
    name: 'the cascade forgets what runs',
    what: 'a cascade neither cancels children that run nor sees that they do',
    breaks: {
      isBelow: (row, parentId) => row.parentTask?.executionId === parentId && row.status !== 'running',
    },
    scenario: 'two children and finalize',
    caughtBy: ['S13'],
  },
  {
    name: 'errors of children are lost',
    what: 'a parent whose child failed does not say which',
    breaks: {
      decide: withUpdates(({ update }) =>
        update.childrenTasksErrors === undefined ? update : { ...update, childrenTasksErrors: [] },
      ),
    },
    scenario: 'two children and finalize',
    caughtBy: ['S12'],
  },
  {
    name: 'later errors replace earlier ones',
    what: 'the error of a child that fails after its parent failed takes the place of the first',
    breaks: {
      decide: withUpdates(({ update }) =>
        update.childrenTasksErrors === undefined
          ? update
          : { ...update, childrenTasksErrors: update.childrenTasksErrors.slice(-1) },
      ),
    },
    scenario: 'two children and finalize',
    caughtBy: ['S12'],
  },
  {
    name: 'finalize in spite of a failure',
    what: 'the finalize execution is enqueued though a child failed',
    breaks: { decide: withUpdates(finalizeAnyway) },
    scenario: 'two children and finalize',
    caughtBy: ['S11', 'S12'],
  },
  {
    name: 'counted twice',
    what: 'a settle that is repeated, as its reply was lost, counts its child once more',
    breaks: { decide: afterwards(countAgain) },
    scenario: 'stalls and lost replies',
    caughtBy: ['S9'],
  },
  {
    name: 'children are counted by nobody',
    what: 'a child is closed, and its parent is told that it is, without counting it',
    breaks: {
      decide: withUpdates(({ before, update }) =>
        update.childrenTasksCompletedCount === undefined
          ? update
          : { ...update, childrenTasksCompletedCount: before.childrenTasksCompletedCount },
      ),
    },
    scenario: 'closing by sweeps',
    caughtBy: ['S9'],
  },
  {
    name: 'a failure that may be is not counted',
    what: 'a child that may fail is closed, and its parent goes on without counting it',
    breaks: {
      decide: withUpdates(({ update }) => {
        const { childrenTasksErrors, childrenTasksFailedCount, ...others } = update
        return childrenTasksErrors === undefined || childrenTasksFailedCount === undefined ? update : others
      }),
    },
    scenario: 'children that may fail',
    caughtBy: ['S12'],
  },
  {
    name: 'one failure too many',
    what: 'a parent goes on though one more of its children failed than may',
    breaks: { decide: toleratingOneMore },
    scenario: 'one child may fail',
    caughtBy: ['S12'],
  },
  {
    name: 'the last child moves nobody',
    what: 'the last child is counted, and the parent goes on waiting',
    breaks: { decide: afterwards(leaveWaiting) },
    scenario: 'closing by sweeps',
    caughtBy: ['S12'],
  },
]

function toleratingOneMore(
  ...[family, events, rules]: Parameters<Engine['decide']>
): ReturnType<Engine['decide']> {
  const planOf: typeof rules.planOf = (taskId) => {
    const plan = rules.planOf(taskId)
    return plan === undefined ? plan : { ...plan, toleratedFailures: (plan.toleratedFailures ?? 0) + 1 }
  }
  return decide(family, events, { ...rules, planOf })
}

function insertChildrenAnyway(
  ...[decision, family, events]: Parameters<Parameters<typeof afterwards>[0]>
): void {
  for (const [index, event] of events.entries()) {
    const parent = family.rows.get(event.executionId)
    const result = decision.results[index]
    if (
      event.kind === 'fanned_out' &&
      parent !== undefined &&
      result !== 'accepted' &&
      result !== 'repeated'
    ) {
      decision.inserts.push(...childRows(parent, event.children, NOW))
    }
  }
}

function parentsNotKnown(
  rows: ReadonlyMap<string, LeanRow>,
  rules: Parameters<Engine['decide']>[2],
): ReadonlySet<string> {
  const parents = [...rows.values()].flatMap(({ parentTask }) =>
    parentTask === undefined ? [] : [parentTask],
  )
  const notKnown = parents.filter((parent) => rules.planOf(parent.taskId) === undefined)
  return new Set(notKnown.map((parent) => parent.executionId))
}

function finalizeAnyway({ before, update, rules }: Touched): ReturnType<Parameters<typeof withUpdates>[0]> {
  const plan = rules.planOf(before.taskId)
  if (update.status !== 'children_tasks_failed' || plan?.finalize === undefined) {
    return update
  }
  const facts = { runInput: '', runOutput: '', children: [] }
  const move = fanIn(before, plan, facts, rules.newExecutionId, NOW)
  return 'error' in move || move.insert === undefined ? update : { update: move.update, insert: move.insert }
}

function countAgain(...[decision, family, events]: Parameters<Parameters<typeof afterwards>[0]>): void {
  for (const [index, event] of events.entries()) {
    const parent = parentOf(family.rows, event)
    if (event.kind === 'succeeded' && decision.results[index] === 'repeated' && parent !== undefined) {
      const childrenTasksCompletedCount = parent.childrenTasksCompletedCount + 1
      decision.updates.set(parent.executionId, { childrenTasksCompletedCount, updatedAt: new Date(NOW) })
    }
  }
}

function parentOf(rows: ReadonlyMap<string, LeanRow>, event: OutsideEvent): LeanRow | undefined {
  return rows.get(rows.get(event.executionId)?.parentTask?.executionId ?? '')
}

function leaveWaiting(...[decision, family]: Parameters<Parameters<typeof afterwards>[0]>): void {
  for (const [executionId, update] of decision.updates) {
    const isLeavingWait =
      family.rows.get(executionId)?.status === 'waiting_for_children_tasks' &&
      update.status === 'waiting_for_finalize_task'
    if (isLeavingWait) {
      const { childrenTasksCompletedCount = 0, updatedAt } = update
      decision.updates.set(executionId, { childrenTasksCompletedCount, updatedAt })
      decision.inserts.length = 0
    }
  }
}
