/**
 * Until when an execution may take, all its attempts and all that it waits for together, and what becomes of it then.
 *
 * Nobody looks for deadlines that have passed. A row that runs is stopped by its process; one that is ready is due at its
 * deadline at the latest, and whoever claims it then ends it without running it. A row that waits for others follows from
 * them: what is below it has its deadline as a ceiling, so it has ended soon after that, and tells. So a deadline costs no
 * query, no index and no sweep, and holds on a storage that has the four operations alone. What it costs instead: an execution
 * ends late by as long as nobody takes what is due, since all slots are taken or nobody knows its task.
 */

import { type Millis } from '../base/clock.ts'
import { cutMessage, type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import { type LeanRow } from './execution.ts'

type Deadlined = Pick<LeanRow, 'deadlineAt'>

const EXCEEDED = 'Task deadline exceeded'

/** The moment of the row's deadline; Infinity without one. */
export function deadlineOf({ deadlineAt }: Deadlined): Millis {
  const at = deadlineAt?.getTime() ?? Infinity
  // What a damaged storage gives is no moment.
  return Number.isNaN(at) ? Infinity : at
}

/** Whether the deadline of the row has passed. */
export function isDeadlineOver(row: Deadlined, now: Millis): boolean {
  return now >= deadlineOf(row)
}

/** When a row is due that would be due at that moment: at its deadline at the latest, and never before now. */
export function dueBy(row: Deadlined, at: Millis, now: Millis): Millis {
  return Math.min(at, Math.max(deadlineOf(row), now))
}

/** What ends an execution whose deadline has passed. `lastMessage` is how its last attempt ended, if that is known. */
export function deadlineExceeded(lastMessage?: string): DurableExecutionErrorStorageObject {
  return exceeded(lastMessage === undefined ? '' : `; the last attempt ended with: ${lastMessage}`)
}

/** The same for one that waited for an execution, which ended badly: `what` names that one. */
export function deadlineExceededWaitingFor(
  what: string,
  reason: DurableExecutionErrorStorageObject,
): DurableExecutionErrorStorageObject {
  // That of one below was exceeded too, as a rule. Said again by each level of a deep tree it would bury the rest.
  const cause = reason.message.startsWith(EXCEEDED) ? '' : `, which ended with: ${reason.message}`
  return exceeded(` while it waited for ${what}${cause}`)
}

function exceeded(rest: string): DurableExecutionErrorStorageObject {
  return { errorType: 'timed_out', message: cutMessage(EXCEEDED + rest), isRetryable: false }
}
