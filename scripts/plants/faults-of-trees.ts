/** Faults of trees: parents, children, finalize executions, and closing. */

import { type Plant } from './plant.ts'

const CLOSE = 'store/close.ts'
const DECISION = 'store/decision.ts'
const FAILED = 'machine/failed-children.ts'
const FAMILY = 'machine/family.ts'
const PARENT = 'machine/parent.ts'
const SETTLE = 'store/settle.ts'
const TRANSITION = 'machine/transition.ts'
const ENDED = 'machine/children-ended.ts'

export const TREE_FAULTS: ReadonlyArray<Plant> = [
  {
    name: 'children-without-their-parent',
    what: 'children are inserted though the update of their parent matched nothing: the run had lost its lease',
    breaks: 'S8',
    twin: 'children without their parent',
    unseenBy: {
      simulator: '1,000 seeds do not draw the race',
    },
    patches: [
      {
        file: SETTLE,
        from: `decision.inserts.filter((row) => matched.has(row.parentTask?.executionId ?? ''))`,
        to: 'decision.inserts',
      },
    ],
  },
  {
    name: 'no-parent-lock',
    what: 'a child is counted over a parent that was read without a lock',
    breaks: 'S9',
    twin: 'counting without a lock',
    unseenBy: {
      suite: 'on memory and SQLite one transaction follows another',
    },
    patches: [
      {
        file: SETTLE,
        from: 'const rows = withOwnTexts(await lockRows(tx, ids, new Date(now)), settlements)',
        to: `const own = settlements.map(({ event }) => event.executionId)
  const rows = withOwnTexts(await lockRows(tx, own, new Date(now)), settlements)
  for (const row of await tx.getTaskExecutions({ type: 'by_execution_ids', executionIds: ids })) {
    if (!rows.has(row.executionId)) rows.set(row.executionId, row)
  }`,
      },
    ],
  },
  {
    name: 'a-child-counts-twice',
    what: 'each completed child adds two to the count',
    breaks: 'S9',
    patches: [
      {
        file: PARENT,
        from: 'parent.childrenTasksCompletedCount + 1',
        to: 'parent.childrenTasksCompletedCount + 2',
      },
    ],
  },
  {
    name: 'the-last-child-moves-nobody',
    what: 'all children are counted, and the parent goes on waiting',
    breaks: 'S12',
    patches: [
      {
        file: PARENT,
        from: 'return ended === childrenCount(parent)',
        to: 'return ended > childrenCount(parent)',
      },
    ],
  },
  {
    name: 'finalize-does-not-wait',
    what: 'the first completed child moves its parent on, though others are still to come',
    breaks: 'S11',
    patches: [
      {
        file: PARENT,
        from: 'return ended === childrenCount(parent)',
        to: 'return ended > 0 && childrenCount(parent) > 0',
      },
    ],
  },
  {
    name: 'a-cancelled-parent-goes-on',
    what: 'the last child moves its parent on, though that was cancelled meanwhile',
    breaks: 'S1',
    patches: [
      {
        file: ENDED,
        from: `if (parent.status !== 'waiting_for_children_tasks') {
    return { update: counted`,
        to: `if (parent.status === 'ready') {
    return { update: counted`,
      },
    ],
  },
  {
    name: 'errors-of-children-are-lost',
    what: 'a parent whose child failed does not say which, nor why',
    breaks: 'S12',
    patches: [
      {
        file: FAILED,
        from: 'update.childrenTasksErrors = [...errors, entryOf(child, index)]',
        to: 'update.childrenTasksErrors = []',
      },
    ],
  },
  {
    name: 'later-errors-replace-earlier-ones',
    what: 'the error of a child that fails after its parent failed takes the place of the first',
    breaks: 'S12',
    patches: [
      {
        file: FAILED,
        from: 'childrenTasksErrors: [...errors, entryOf(child, index)], updatedAt',
        to: 'childrenTasksErrors: [entryOf(child, index)], updatedAt',
      },
    ],
  },
  {
    name: 'what-a-parent-cancelled-is-blamed',
    what: 'a child that was cancelled since its parent had ended is named among the causes of that end',
    breaks: 'S12',
    patches: [{ file: FAILED, from: '!wasCancelledByParent(child) &&', to: '' }],
  },
  {
    name: 'a-failed-child-counts-as-completed',
    what: 'a parent is told of a failed child what it is told of a completed one',
    breaks: 'S12',
    patches: [
      {
        file: FAMILY,
        from: `const isCompleted = row.status === 'completed'`,
        to: `const isCompleted = row.status !== 'running'`,
      },
    ],
  },
  {
    name: 'a-failed-finalize-completes',
    what: 'a parent is completed though its finalize task failed',
    breaks: 'S12',
    unseenBy: { simulator: 'its finalize tasks do not fail' },
    patches: [
      {
        file: PARENT,
        from: `if (finalize.status === 'completed') {`,
        to: `if (finalize.status !== 'running') {`,
      },
      {
        file: 'machine/table.ts',
        from: `finalize_failed: to('finalize_task_failed', 'timed_out')`,
        to: `finalize_failed: to('finalize_task_failed', 'timed_out', 'completed')`,
      },
    ],
  },
  {
    name: 'inserts-are-lost',
    what: 'what a locked decision enqueues, a finalize execution most of all, is not written',
    breaks: 'S12',
    patches: [{ file: DECISION, from: '  await insertRows(tx, decision.inserts)\n', to: '' }],
  },
  {
    name: 'outputs-in-the-wrong-order',
    what: 'a finalize task gets the outputs of the children last to first',
    breaks: 'a finalize task gets the outputs in the order in which the children were returned',
    unseenBy: {
      simulator: 'its outputs are sums',
    },
    patches: [
      {
        file: DECISION,
        from: 'children: parent.childrenTasks.map((',
        to: 'children: parent.childrenTasks.toReversed().map((',
      },
    ],
  },
  {
    name: 'closed-twice',
    what: 'whether a finished row is closed already is not read again: both closers tell its parent',
    breaks: 'S9',
    patches: [
      {
        file: TRANSITION,
        from: 'if (row.isClosed) {',
        to: 'if (row.isClosed && row.parentTask === undefined) {',
      },
    ],
  },
  {
    name: 'the-parent-is-not-told',
    what: 'a closer that does not know the task of the parent closes the child all the same',
    breaks: 'S12',
    patches: [
      {
        file: FAMILY,
        from: `if (parent === undefined) {
      return 'parent_unknown'`,
        to: `if (parent === undefined) {
      return 'accepted'`,
      },
    ],
  },
  {
    name: 'closed-before-the-cascade',
    what: 'a row that ended badly is closed before what is below it is cancelled',
    breaks: 'S13',
    twin: 'closed before the cascade',
    unseenBy: { explorer: 'it asks to close only what may be closed' },
    patches: [{ file: TRANSITION, from: 'if (!isBelowClosed) {', to: 'if (isBelowClosed === null) {' }],
  },
  {
    name: 'a-cancelled-parent-leaves-its-children',
    what: 'a parent that is cancelled is closed at once, and its children go on',
    breaks: 'S13',
    patches: [
      {
        file: PARENT,
        from: 'return childrenCount(row) > 0 || row.finalizeTask !== undefined',
        to: 'return false',
      },
    ],
  },
  {
    name: 'the-cascade-forgets-finalize',
    what: 'a cancelled parent without children is closed while its finalize execution goes on',
    breaks: 'S13',
    unseenBy: {
      simulator: '150 seeds do not draw such a cancel',
    },
    patches: [
      {
        file: PARENT,
        from: 'return childrenCount(row) > 0 || row.finalizeTask !== undefined',
        to: 'return childrenCount(row) > 0',
      },
    ],
  },
  {
    name: 'the-cascade-forgets-what-runs',
    what: 'a cascade does not cancel children that run: it waits until they have ended',
    breaks: 'what runs below a parent that ended badly is cancelled',
    twin: 'the cascade forgets what runs',
    unseenBy: {
      simulator: 'in the end all is closed all the same',
    },
    patches: [
      {
        file: CLOSE,
        from: 'if (status !== undefined && !isFinishedStatus(status)) {',
        to: `if (status !== undefined && !isFinishedStatus(status) && status !== 'running') {`,
      },
    ],
  },
  {
    name: 'nobody-sweeps',
    what: 'rows that were finished and not closed by whoever died then stay open',
    breaks: 'L5',
    patches: [{ file: 'executor/sweeping.ts', from: 'this.#closer.add(left)', to: '' }],
  },
]
