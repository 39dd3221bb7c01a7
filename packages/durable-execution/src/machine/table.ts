/**
 * The table of transitions: what each event may do to a row in each status. It is complete by its
 * type: a status or an event without its cells does not compile. The state diagram is drawn from it.
 */

import { type EventKind, type Refusal } from './event.ts'
import { type DurableTaskExecutionStatusStorageObject as Status } from './status.ts'

/** Where an event may lead, or why it is refused. */
export type Cell = { to: ReadonlyArray<Status> } | { refused: Refusal }

const to = (...statuses: Array<Status>): Cell => ({ to: statuses })
const no = (refused: Refusal): Cell => ({ refused })

/** A finished row changes no more: late news of children are noted, and then it is closed. */
const finished = (status: Status): Record<EventKind, Cell> => ({
  claimed: no('not_due'),
  renewed: no('stale'),
  succeeded: no('stale'),
  fanned_out: no('stale'),
  recorded: no('stale'),
  suspended: no('stale'),
  signalled: no('finished'),
  failed: no('stale'),
  released: no('stale'),
  lost: no('not_lapsed'),
  cancelled: no('finished'),
  parent_ended: no('finished'),
  child_completed: to(status),
  child_failed: to(status),
  awaited_ended: to(status),
  finalize_completed: to(status),
  finalize_failed: to(status),
  closed: to(status),
})

/** The rows are statuses, the columns events. */
export const TRANSITIONS: Record<Status, Record<EventKind, Cell>> = {
  ready: {
    claimed: to('running'),
    renewed: no('stale'),
    succeeded: no('stale'),
    fanned_out: no('stale'),
    recorded: no('stale'),
    suspended: no('stale'),
    signalled: to('ready'),
    failed: no('stale'),
    released: no('stale'),
    lost: no('not_lapsed'),
    cancelled: to('cancelled'),
    parent_ended: to('cancelled'),
    child_completed: no('not_waiting'),
    child_failed: no('not_waiting'),
    awaited_ended: to('ready'),
    finalize_completed: no('not_waiting'),
    finalize_failed: no('not_waiting'),
    closed: no('not_finished'),
  },
  running: {
    claimed: no('not_due'),
    renewed: to('running'),
    succeeded: to('completed'),
    fanned_out: to('waiting_for_children_tasks', 'waiting_for_finalize_task', 'completed', 'failed'),
    recorded: to('running'),
    suspended: to('ready'),
    signalled: to('running'),
    failed: to('ready', 'failed', 'timed_out', 'cancelled'),
    released: to('ready'),
    lost: to('ready', 'failed'),
    cancelled: to('cancelled'),
    parent_ended: to('cancelled'),
    child_completed: no('not_waiting'),
    child_failed: no('not_waiting'),
    awaited_ended: to('running'),
    finalize_completed: no('not_waiting'),
    finalize_failed: no('not_waiting'),
    closed: no('not_finished'),
  },
  waiting_for_children_tasks: {
    claimed: no('not_due'),
    renewed: no('stale'),
    succeeded: no('stale'),
    fanned_out: no('stale'),
    recorded: no('stale'),
    suspended: no('stale'),
    signalled: to('waiting_for_children_tasks'),
    failed: no('stale'),
    released: no('stale'),
    lost: no('not_lapsed'),
    cancelled: to('cancelled'),
    parent_ended: to('cancelled'),
    child_completed: to(
      'waiting_for_children_tasks',
      'waiting_for_finalize_task',
      'completed',
      'children_tasks_failed',
    ),
    child_failed: to(
      'waiting_for_children_tasks',
      'waiting_for_finalize_task',
      'completed',
      'children_tasks_failed',
      'timed_out',
    ),
    awaited_ended: to('waiting_for_children_tasks'),
    finalize_completed: no('not_waiting'),
    finalize_failed: no('not_waiting'),
    closed: no('not_finished'),
  },
  waiting_for_finalize_task: {
    claimed: no('not_due'),
    renewed: no('stale'),
    succeeded: no('stale'),
    fanned_out: no('stale'),
    recorded: no('stale'),
    suspended: no('stale'),
    signalled: to('waiting_for_finalize_task'),
    failed: no('stale'),
    released: no('stale'),
    lost: no('not_lapsed'),
    cancelled: to('cancelled'),
    parent_ended: to('cancelled'),
    child_completed: no('not_waiting'),
    child_failed: no('not_waiting'),
    awaited_ended: to('waiting_for_finalize_task'),
    finalize_completed: to('completed'),
    finalize_failed: to('finalize_task_failed', 'timed_out'),
    closed: no('not_finished'),
  },
  failed: finished('failed'),
  timed_out: finished('timed_out'),
  children_tasks_failed: finished('children_tasks_failed'),
  finalize_task_failed: finished('finalize_task_failed'),
  completed: finished('completed'),
  cancelled: finished('cancelled'),
}
