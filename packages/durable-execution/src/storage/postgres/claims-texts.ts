/** The two statements that take due rows, as they stand in the functions of the schema, and the columns that they give. */

import { PARTIAL_INDEX_CONDITIONS } from '../sql/where.ts'
import { PRIORITY, type Tables } from './tables.ts'

// These texts are part of a migration, so they name the columns that there were at that time. A new column needs a
// migration that makes the views and functions anew.
const OWN = `root_task_id, root_execution_id, parent_task_id, parent_execution_id, is_finalize_task, task_id, execution_id, retry_options, sleep_ms_before_run, timeout_ms, children_tasks_completed_count, children_tasks_errors, finalize_task, finalize_task_error, error, is_closed, needs_promise_cancellation, retry_attempts, start_at, started_at, finished_at, created_at, losses, depth, child_index, children_tasks_count, children_tasks_failed_count, suspended_for, priority, tags, deadline_at, has_compensations, run_input, run_output, output, children_tasks`
const SMALLINTS = 'is_finalize_task, is_closed, needs_promise_cancellation, has_compensations'
const BIGINTS = `children_tasks_completed_count, retry_attempts, start_at, started_at, finished_at, created_at, losses, depth, child_index, children_tasks_count, children_tasks_failed_count, priority, deadline_at, seq`
const DOUBLES = 'sleep_ms_before_run, timeout_ms'

/** The columns that a claim gives: all but those that it sets, and `seq`. */
export const CLAIM_GIVES: ReadonlyArray<string> = [...OWN.split(', '), 'seq']

/** The same with their types. */
export const CLAIM_GIVES_TYPED: string = CLAIM_GIVES.map((name) => `${name} ${typeAt(name)}`).join(', ')

/** Nothing in each of them but `seq`. */
export const NULLS: string = OWN.split(', ')
  .map((name) => `null::${typeAt(name)}`)
  .join(', ')

// A number that is sent costs the server and this process more than that it is compared. With 500 rows a claim this and the
// columns that are null anyway saved 2 of 34 µs a task in the server.
export const USUALLY_ZERO: ReadonlySet<string> = new Set([
  'sleep_ms_before_run',
  'children_tasks_completed_count',
  'is_closed',
  'needs_promise_cancellation',
  'retry_attempts',
])

/**
 * The condition that the claim `c`, whose rows are `members`, names the row `e`, in the words that lead through the index of the ready rows. With `offset 0`
 * behind it the index is looked into once for each claim; without, all ready rows would be compared with each.
 */
export function isNamed(members: string): string {
  return `e.status = 'ready' and coalesce(e.priority, 0) = 0
    and (e.start_at, e.seq) >= (c.first_start_at, c.first_seq)
    and (e.start_at, e.seq) <= (c.last_start_at, c.last_seq) and ${members} @> e.seq`
}

/** The condition that the claim `c` names the row, in the words that lead through the index of what claims name. */
export function namesIt(row: string): string {
  return `c.members @> ${row}seq`
}

/** Members that are compared with many rows: what lies out of line, or is compressed, is read once, and not for each row. */
export function wholeMembers(members: string): string {
  return `${members} + '{}'::int8multirange`
}

/** What no row comes before. */
export const LEAST = `'-9223372036854775808'::bigint`

const { ready: READY, prioritized: PRIORITIZED } = PARTIAL_INDEX_CONDITIONS

// `taken` are the rows that other claims name.
const IS_DUE = `e.start_at <= now_ms and e.task_id = any(task_ids) and coalesce(e.losses, 0) < losses_below
  and e.execution_id not in (select unnest(excluded)) and not taken @> e.seq`

const RUNNING = `status = 'running', started_at = greatest(now_ms, e.started_at + 1), expires_at = lapses_ms,
  updated_at = now_ms, lease_id = lease, executor_id = executor`

/**
 * Takes rows without a priority, from behind the place. It takes none while any ready row has one, which may have to be
 * taken first: to ask that costs nothing to be measured where none has, and the statement for all priorities costs 30 µs
 * more, or 400 where it is planned each time.
 */
export function plainClaimText({ rows, claims }: Tables): string {
  return `with due as materialized (
      select ${CLAIM_GIVES.map((name) => `e.${name}`).join(', ')} from ${rows} e
      where e.status = 'ready' and coalesce(e.priority, 0) = 0 and ${IS_DUE}
        and (e.start_at, e.seq) > (after_start_at, after_seq)
        and not exists (select from ${rows} where ${PRIORITIZED})
      order by e.start_at, e.seq limit most for update of e skip locked),
    ends as materialized (select min(start_at) as first, max(start_at) as last from due),
    named as (
      insert into ${claims} (lease_id, executor_id, claimed_at, expires_at, first_start_at, first_seq, last_start_at, last_seq, members, sought_hash)
      select lease, executor, now_ms, lapses_ms, ends.first, min(due.seq) filter (where due.start_at = ends.first),
        ends.last, max(due.seq) filter (where due.start_at = ends.last),
        coalesce(range_agg(int8range(due.seq, due.seq, '[]')) filter (where due.parent_execution_id is null), '{}'), sought
      from due cross join ends group by ends.first, ends.last),
    written as (
      update ${rows} e set ${RUNNING} from due
      where due.parent_execution_id is not null and e.execution_id = due.execution_id)
    select ${gives('due', 'greatest(now_ms, due.started_at + 1)')} from due`
}

/**
 * Locks rows of the highest priority first, from behind the places, and gives their ids. Each priority that a ready row has is found by one step
 * through the index, and its rows that are due by another: those that are not due yet are not walked over, however many they
 * are. A priority that has a place is not looked for, since entries of rows that were claimed may stand before the place.
 * Whatever comes after the last row asked for is neither looked for nor locked.
 */
export function priorityDueText({ rows }: Tables): string {
  const highest = (between: string): string =>
    `(select ${PRIORITY} from ${rows} where ${READY} and ${between} order by ${PRIORITY} desc limit 1)`
  return `with recursive place(priority, start_at, seq) as materialized (
      select * from unnest(place_priorities, place_start_ats, place_seqs)),
    level(priority) as (
      select coalesce(${highest(`${PRIORITY} > coalesce(top.priority, ${LEAST})`)}, top.priority)
      from (select max(priority) as priority from place) top
      union all
      select coalesce(
        ${highest(`${PRIORITY} < level.priority and ${PRIORITY} > coalesce(next.priority, ${LEAST})`)}, next.priority)
      from level cross join lateral (
        select max(place.priority) as priority from place where place.priority < level.priority) next
      where level.priority is not null),
    due as materialized (
      select of_level.execution_id from level left join place on place.priority = level.priority cross join lateral (
        select e.execution_id from ${rows} e
        where e.status = 'ready' and coalesce(e.priority, 0) = level.priority and ${IS_DUE}
          and (e.start_at, e.seq) > (coalesce(place.start_at, ${LEAST}), coalesce(place.seq, ${LEAST}))
        order by e.start_at, e.seq limit most for update skip locked) of_level
      limit most)
    select execution_id from due`
}

/** Takes what was found, but for what other claims name by now. */
export function priorityTakeText({ rows, claims }: Tables): string {
  return `update ${rows} e set ${RUNNING} from unnest(found) as due(execution_id)
    where e.execution_id = due.execution_id and not exists (select from ${claims} c where ${namesIt('e.')})
    returning ${gives('e', 'e.started_at')}`
}

/** The columns of a claimed row: what is as it is in most rows is null. None of those is ever null in a claimed row. */
function gives(row: string, started: string): string {
  return CLAIM_GIVES.map((name) => {
    switch (true) {
      case USUALLY_ZERO.has(name):
        return `nullif(${row}.${name}, 0::${typeAt(name)})`
      case name === 'started_at':
        return `nullif(${started}, now_ms)`
      case name === 'created_at':
        return `nullif(${row}.created_at, ${row}.start_at)`
      default:
        return `${row}.${name}`
    }
  }).join(', ')
}

function typeAt(name: string): string {
  const isIn = (names: string): boolean => names.split(', ').includes(name)
  if (isIn(BIGINTS)) {
    return 'bigint'
  }
  return isIn(SMALLINTS) ? 'smallint' : isIn(DOUBLES) ? 'double precision' : 'text'
}
