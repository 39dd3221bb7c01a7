/**
 * What is seen of a round while it goes on: each look reads all rows at one moment, and must agree with itself and
 * with the look before.
 */

import { type ExecutionRow } from '../../../src/machine/execution.ts'
import { isFinishedStatus } from '../../../src/machine/status.ts'
import { isRecord } from '../../../src/machine/records.ts'
import { checkWorld } from '../../../src/machine/invariants.ts'
import { ORDER } from './order-task.ts'
import { type Finding, type Promised, type Sighting } from './check.ts'

/** What is remembered of a row from one look to the next. */
type Seen = Pick<ExecutionRow, 'status' | 'isClosed' | 'retryAttempts' | 'childrenTasksCompletedCount'> & {
  startedAt: number
  children: string
  finalize: string | undefined
}

export class History {
  /** How each execution looked when it was first seen finished. */
  readonly sightings = new Map<string, Sighting>()
  readonly findings: Array<Finding> = []
  /** How many looks there were. */
  looks = 0
  #last = new Map<string, Seen>()

  /** Looks at all rows as they are at one moment. */
  look(rows: ReadonlyArray<ExecutionRow>): void {
    this.looks += 1
    for (const { invariant, executionId, sentence } of checkWorld(rows)) {
      this.#report('the rows agree with each other', executionId, `${invariant}: ${sentence}`)
    }
    const seen = new Map<string, Seen>()
    for (const row of rows) {
      const before = this.#last.get(row.executionId)
      const now = seenOf(row)
      seen.set(row.executionId, now)
      if (before !== undefined) {
        this.#compare(row, before, now)
      }
      if (isFinishedStatus(row.status) && !isRecord(row) && !this.sightings.has(row.executionId)) {
        const { executionId, status, output, error, finishedAt } = row
        this.sightings.set(executionId, { executionId, status, output, error, finishedAt })
      }
    }
    for (const executionId of this.#last.keys()) {
      if (!seen.has(executionId)) {
        this.#report('nothing is lost', executionId, 'it was there, and is not any more')
      }
    }
    this.#last = seen
  }

  #compare({ executionId, taskId }: ExecutionRow, before: Seen, now: Seen): void {
    const complain = (sentence: string): void =>
      this.#report('nothing goes back', executionId, `${taskId} ${sentence}`)
    if (rankOf(now) < rankOf(before) || (isFinishedStatus(before.status) && now.status !== before.status)) {
      complain(`was ${before.status}, then ${now.status}`)
    }
    if (before.isClosed && !now.isClosed) {
      complain('was closed, then open')
    }
    for (const count of ['retryAttempts', 'startedAt', 'childrenTasksCompletedCount'] as const) {
      if (now[count] < before[count]) {
        complain(`had ${count} ${before[count]}, then ${now[count]}`)
      }
    }
    // Durable code adds to its list.
    if (before.children !== '' && taskId !== ORDER && now.children !== before.children) {
      complain('has other children than before')
    }
    if (before.finalize !== undefined && now.finalize !== before.finalize) {
      complain(`had the finalize execution ${before.finalize}, then ${now.finalize ?? 'none'}`)
    }
  }

  // What is wrong stays wrong at the next look.
  #report(promise: Promised, executionId: string, sentence: string): void {
    const isKnown = this.findings.some((one) => one.executionId === executionId && one.sentence === sentence)
    if (!isKnown) {
      this.findings.push({ promise, executionId, sentence })
    }
  }
}

function seenOf(row: ExecutionRow): Seen {
  const { status, isClosed, retryAttempts, childrenTasksCompletedCount, childrenTasks, finalizeTask } = row
  const [first, last] = [childrenTasks?.[0], childrenTasks?.at(-1)]
  return {
    status,
    isClosed,
    retryAttempts,
    childrenTasksCompletedCount,
    startedAt: row.startedAt?.getTime() ?? 0,
    // Children are drawn together, so two lists that begin and end alike are the same.
    children: first === undefined ? '' : `${childrenTasks?.length} ${first.executionId} ${last?.executionId}`,
    finalize: finalizeTask?.executionId,
  }
}

/** How far a row has come. A running one may be ready again, and nothing else goes back. */
function rankOf({ status }: Seen): number {
  switch (status) {
    case 'ready':
    case 'running':
      return 0
    case 'waiting_for_children_tasks':
      return 1
    case 'waiting_for_finalize_task':
      return 2
    case 'failed':
    case 'timed_out':
    case 'children_tasks_failed':
    case 'finalize_task_failed':
    case 'completed':
    case 'cancelled':
      return 3
  }
}
