/** The statuses of executions. */

/**
 * The status of an execution as a row keeps it. `ready`, `running`, `waiting_for_children_tasks` and
 * `waiting_for_finalize_task` are active; the other six are final.
 *
 * @category Storage
 */
export type DurableTaskExecutionStatusStorageObject =
  | 'ready'
  | 'running'
  | 'failed'
  | 'timed_out'
  | 'waiting_for_children_tasks'
  | 'children_tasks_failed'
  | 'waiting_for_finalize_task'
  | 'finalize_task_failed'
  | 'completed'
  | 'cancelled'

type Status = DurableTaskExecutionStatusStorageObject

export type FinishedStatus = Exclude<
  Status,
  'ready' | 'running' | 'waiting_for_children_tasks' | 'waiting_for_finalize_task'
>

/** In these something is still to happen. */
export const ACTIVE_STATUSES: ReadonlyArray<Status> = [
  'ready',
  'running',
  'waiting_for_children_tasks',
  'waiting_for_finalize_task',
]

/** In these nothing will ever happen again. */
export const FINISHED_STATUSES: ReadonlyArray<FinishedStatus> = [
  'failed',
  'timed_out',
  'children_tasks_failed',
  'finalize_task_failed',
  'completed',
  'cancelled',
]

export const ALL_STATUSES: ReadonlyArray<Status> = [...ACTIVE_STATUSES, ...FINISHED_STATUSES]

const FINISHED: ReadonlySet<Status> = new Set<Status>(FINISHED_STATUSES)

/** Whether the status is one of the six final ones. */
export function isFinishedStatus(status: Status): status is FinishedStatus {
  return FINISHED.has(status)
}
