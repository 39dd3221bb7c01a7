/** The where clause as SQL text: the condition, the order, and the partial index that it may use. */

import { type ExecutionRow } from '../../machine/execution.ts'
import { ACTIVE_STATUSES, ALL_STATUSES, FINISHED_STATUSES, isFinishedStatus } from '../../machine/status.ts'
import { type DurableTaskExecutionStorageWhere } from '../contract.ts'
import { type SqlValue, toSqlTime } from './fields.ts'

type Status = ExecutionRow['status']

/** What differs between databases: how a value, and a list of ids, is handed over, and what the priority of a row is. */
export type SqlDialect = {
  /** Adds the value to the list and gives the text that stands for it. */
  bind: (values: Array<SqlValue>, value: SqlValue) => string
  /** The condition that `execution_id` is one of the ids; they are not empty. */
  isAmong: (values: Array<SqlValue>, executionIds: ReadonlyArray<string>) => string
  /** The priority of a row, in the words with which the index of the ready rows begins. */
  readonly priority: string
}

/** How the rows are found: by their ids, through one of the partial indexes, or by looking at all of them. */
export type SqlPath = 'ids' | 'ready' | 'prioritized' | 'running' | 'unclosed' | 'all'

/** A where clause as SQL. */
export type SqlWhere = { condition: string; order: string; path: SqlPath; values: Array<SqlValue> }

/** What a clause reads: rows of one part or of another, each found on its own path, all in one order. */
export type SqlRead = {
  parts: ReadonlyArray<Pick<SqlWhere, 'condition' | 'path'>>
  order: string
  values: Array<SqlValue>
}

/**
 * What the partial indexes hold. A database uses one only for a query that says the same in the same
 * words, so statuses are written as text and never bound. None of them holds a finished, closed row.
 * Every change of a row asks whether it belongs to each of them, so the words are cheap ones: SQLite
 * builds a table for each `in` of more than two, which made settling take half as long again.
 */
export const PARTIAL_INDEX_CONDITIONS: Record<
  'ready' | 'prioritized' | 'running' | 'unclosed' | 'below',
  string
> = {
  ready: `status = 'ready'`,
  prioritized: `status = 'ready' and priority is not null`,
  running: `status = 'running'`,
  unclosed: `is_closed = 0 and (${statusIsOneOf(FINISHED_STATUSES)})`,
  below: `parent_execution_id is not null and (is_closed = 0 or ${statusIsOneOf(ACTIVE_STATUSES)})`,
}

/**
 * The where clause as a read; null when nothing can match it. The index of the ready rows is sorted by priority first. Those that
 * have none lie in it by `startAt`, and those that have one, in many queues none at all, in an index of their own.
 */
export function whereToRead(where: DurableTaskExecutionStorageWhere, dialect: SqlDialect): SqlRead | null {
  if (where.type !== 'by_start_at_less_than' || knownStatuses(where.statuses).join() !== 'ready') {
    const found = whereToSql(where, dialect)
    return found === null ? null : { parts: [found], order: found.order, values: found.values }
  }
  const values: Array<SqlValue> = []
  const startsBefore = (condition: string): string =>
    `${condition} and start_at < ${dialect.bind(values, toSqlTime(where.startAtLessThan))}`
  const plain = `${PARTIAL_INDEX_CONDITIONS.ready} and ${dialect.priority} = 0 and priority is null`
  return {
    parts: [
      { condition: startsBefore(plain), path: 'ready' },
      { condition: startsBefore(PARTIAL_INDEX_CONDITIONS.prioritized), path: 'prioritized' },
    ],
    order: 'start_at, seq',
    values,
  }
}

/** The where clause as SQL; null when nothing can match it. */
export function whereToSql(where: DurableTaskExecutionStorageWhere, dialect: SqlDialect): SqlWhere | null {
  const statuses = where.statuses === undefined ? undefined : knownStatuses(where.statuses)
  if (statuses?.length === 0) {
    return null
  }
  switch (where.type) {
    case 'by_execution_ids':
      return whereIds(where, statuses, dialect)
    case 'by_statuses':
      return whereStatuses(where, statuses ?? [], dialect)
    case 'by_start_at_less_than': {
      const values: Array<SqlValue> = []
      const { path, conditions } = statusConditions(statuses ?? [], undefined)
      conditions.push(`start_at < ${dialect.bind(values, toSqlTime(where.startAtLessThan))}`)
      return { condition: conditions.join(' and '), order: 'start_at, seq', path, values }
    }
  }
}

function whereIds(
  where: Extract<DurableTaskExecutionStorageWhere, { type: 'by_execution_ids' }>,
  statuses: Array<Status> | undefined,
  dialect: SqlDialect,
): SqlWhere | null {
  if (where.executionIds.length === 0) {
    return null
  }
  const values: Array<SqlValue> = []
  const conditions = [dialect.isAmong(values, where.executionIds)]
  if (statuses !== undefined) {
    conditions.push(statusGuard(statuses))
  }
  if (where.needsPromiseCancellation !== undefined) {
    conditions.push(`needs_promise_cancellation = ${Number(where.needsPromiseCancellation)}`)
  }
  return { condition: conditions.join(' and '), order: 'seq', path: 'ids', values }
}

function whereStatuses(
  where: Extract<DurableTaskExecutionStorageWhere, { type: 'by_statuses' }>,
  statuses: Array<Status>,
  dialect: SqlDialect,
): SqlWhere {
  const values: Array<SqlValue> = []
  const { path, conditions } = statusConditions(statuses, where.isClosed)
  if (where.expiresAtLessThan !== undefined) {
    conditions.push(`expires_at < ${dialect.bind(values, toSqlTime(where.expiresAtLessThan))}`)
  }
  const order = where.expiresAtLessThan === undefined ? 'seq' : 'expires_at, seq'
  return { condition: conditions.join(' and '), order, path, values }
}

/**
 * The guard of rows that are named by their ids. It says nothing that a partial index holds: such an
 * index looks small to a planner, which would then walk it, dead entries and all, for each row.
 */
export function statusGuard(statuses: ReadonlyArray<Status>): string {
  return statusIn(`coalesce(status, '')`, knownStatuses(statuses))
}

function statusConditions(
  statuses: Array<Status>,
  isClosed: boolean | undefined,
): { path: SqlPath; conditions: Array<string> } {
  const closed = isClosed === undefined ? [] : [`is_closed = ${Number(isClosed)}`]
  const only = statuses.length === 1 ? statuses[0] : undefined
  if (only === 'ready' || only === 'running') {
    return { path: only, conditions: [PARTIAL_INDEX_CONDITIONS[only], ...closed] }
  }
  const isIn = statusIn('status', statuses)
  if (isClosed === false && statuses.every(isFinishedStatus)) {
    // The index's own words stand beside the narrower list, or it could not be used for that.
    return { path: 'unclosed', conditions: [PARTIAL_INDEX_CONDITIONS.unclosed, isIn] }
  }
  return { path: 'all', conditions: [isIn, ...closed] }
}

// Each known status at most once, always in the same order: few texts, and nothing foreign in them.
function knownStatuses(statuses: ReadonlyArray<Status>): Array<Status> {
  return ALL_STATUSES.filter((status) => statuses.includes(status))
}

function statusIsOneOf(statuses: ReadonlyArray<Status>): string {
  return statuses.map((status) => `status = '${status}'`).join(' or ')
}

function statusIn(expression: string, statuses: ReadonlyArray<Status>): string {
  return `${expression} in (${statuses.map((status) => `'${status}'`).join(', ')})`
}
