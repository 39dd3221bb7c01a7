/** Changing rows: by a where clause, and many under a guard each. */

import { type ExecutionUpdate } from '../../machine/execution.ts'
import { type DurableStorageGuardedUpdate, type DurableTaskExecutionStorageWhere } from '../contract.ts'
import { toSqlText } from '../sql/text.ts'
import { type AlikeUpdates, columnsSet, groupAlike, valueSet } from '../sql/updates.ts'
import { whereToSql } from '../sql/where.ts'
import { type Statement } from './claim-statements.ts'
import { wholeMembers } from './claims-texts.ts'
import { bind, bindTexts } from './columns.ts'
import { type Given } from './driver.ts'
import { type EarlyRows } from './early-rows.ts'
import { asUpdate, isToReady, settingsOf, tabulated } from './guarded-updates.ts'
import { typeOf } from './schema.ts'
import { type Call } from './session.ts'
import { bindIds, idsOf, inLockOrder, isUnderLease, postgresDialect } from './statements.ts'
import { type Tables } from './tables.ts'
import { type Statements } from './transaction.ts'
import { mayBeClaimed, writeOut, writeOutAll } from './write-out.ts'

/** Changes the rows that match; gives their ids. */
export function updateRows(
  tables: Tables,
  where: DurableTaskExecutionStorageWhere,
  update: ExecutionUpdate,
): Call<Array<string>> {
  let source = ''
  const found = whereToSql(where, {
    ...postgresDialect,
    isAmong: (values, executionIds) => {
      // Joined to a list, so that rows are locked in its order.
      source = `from unnest(${bindIds(values, inLockOrder(executionIds))}) as given(id)`
      return 'execution_id = given.id'
    },
  })
  if (found === null) {
    return () => Promise.resolve([])
  }
  const values: Array<Given> = found.values
  const settings = columnsSet(update).map((column) => {
    const value = valueSet(update, column)
    return `${column.name} = ${value === null ? 'null' : `${bind(values, value)}::${typeOf(column.name)}`}`
  })
  const text = `update ${tables.rows} e set ${settings.join(', ')} ${source} where ${found.condition}`
  const isWrittenOut = !mayBeClaimed(where.statuses)
  return async (statements) => {
    if (!isWrittenOut) {
      await statements.together()
      await (where.type === 'by_execution_ids'
        ? writeOut(statements, tables, where.executionIds, where.statuses)
        : writeOutAll(statements, tables))
    }
    return locked(statements, idsOf(await statements.run(asUpdate(tables, text, update), values)))
  }
}

/** Changes each row whose guard holds; gives the ids of those. One statement for each set of fields and guard. */
export function updateRowsGuarded(
  tables: Tables,
  updates: ReadonlyArray<DurableStorageGuardedUpdate>,
  early: EarlyRows,
): Call<Array<string>> {
  // What makes rows ready changes claims, and the others only hold them: who holds first would wait for others that hold.
  const isMixed = updates.some(isToReady) && !updates.every(isToReady)
  const groups = isMixed
    ? [...groupAlike(updates.filter(isToReady)), ...groupAlike(updates.filter((one) => !isToReady(one)))]
    : groupAlike(updates)
  const calls = groups.map((alike) => {
    if (!isSettlement(alike)) {
      return change(tables, alike)
    }
    return settle(tables, alike, early)
  })
  return async (statements) => {
    if (calls.length > 1) {
      await statements.together()
    }
    const changed: Array<string> = []
    for (const call of calls) {
      changed.push(...(await call(statements)))
    }
    return changed
  }
}

/** Whether the rows are running under a lease that is named, so that their claims are found by it. */
function isSettlement({ hasLease, statuses }: AlikeUpdates): boolean {
  return hasLease && statuses?.includes('running') === true && !statuses.includes('ready')
}

/** Whether the members of a group make rows ready: all do, or none. */
function makesReady({ members }: AlikeUpdates): boolean {
  return members.some(isToReady)
}

function change(tables: Tables, alike: AlikeUpdates): Call<Array<string>> {
  const { members, statuses } = alike
  const { values, cells, source, id, lease } = tabulated(alike)
  const isHeld = lease === undefined ? '' : `and ${isUnderLease(lease)}`
  const isGuarded = alike.guard === '' ? '' : `and ${alike.guard}`
  const text = `update ${tables.rows} e set ${settingsOf(alike, cells)} ${source === '' ? '' : `from ${source}`}
    where e.execution_id = ${id} ${isGuarded} ${isHeld}`
  const executionIds = members.map(({ executionId }) => executionId)
  return async (statements) => {
    if (mayBeClaimed(statuses) && executionIds.some((executionId) => !statements.known.has(executionId))) {
      await statements.together()
      await writeOut(statements, tables, executionIds, statuses)
    }
    return locked(statements, idsOf(await statements.run(asUpdate(tables, text, members[0]?.update), values)))
  }
}

/** Notes that the transaction has locked the rows, which say of themselves what is true. */
function locked({ known }: Statements, executionIds: Array<string>): Array<string> {
  for (const executionId of executionIds) {
    known.add(executionId)
  }
  return executionIds
}

/** Changes rows under their leases, whether they say themselves that they run or their claims do. */
function settle(tables: Tables, alike: AlikeUpdates, early: EarlyRows): Call<Array<string>> {
  const { text, values } = early.settling(alike) ?? settleStatement(tables, alike)
  return async (statements) => {
    const changed = idsOf(await statements.run(text, values))
    if (changed.length === alike.members.length) {
      return changed
    }
    // A row that was written out while the statement waited for its claim said neither. Now it says that it runs, or does not. And one that
    // was claimed under a lease that an insert had, which only a storage's own caller can do, was not looked for in its claim.
    const done = new Set(changed)
    const rest = alike.members.filter(({ executionId }) => !done.has(executionId))
    return [...changed, ...(await settleRest(statements, tables, { ...alike, members: rest }, changed))]
  }
}

async function settleRest(
  statements: Statements,
  tables: Tables,
  alike: AlikeUpdates,
  changed: ReadonlyArray<string>,
): Promise<Array<string>> {
  const { text, values } = settleStatement(tables, alike)
  try {
    return idsOf(await statements.run(text, values))
  } catch (error) {
    // Not the driver's own error, since such a call would be made again, and then not find what it has changed.
    throw changed.length === 0
      ? error
      : new Error('Only a part of the rows could be changed', { cause: error })
  }
}

function settleStatement(tables: Tables, alike: AlikeUpdates): Statement {
  const { values, cells, source, id, lease = '' } = tabulated(alike)
  const isReady = `coalesce(e.status, '') = 'ready'`
  const set = new Set(alike.columns.map(({ name }) => name))
  // What the claim did not write. A row that is changed, but not settled, says that it runs from then on.
  const claimed = [
    ['status', `case when ${isReady} then 'running' else e.status end`],
    ['lease_id', lease],
    ['executor_id', `case when ${isReady} then held.executor_id else e.executor_id end`],
    [
      'started_at',
      `case when ${isReady} then greatest(held.claimed_at, e.started_at + 1) else e.started_at end`,
    ],
    ['expires_at', `case when ${isReady} then held.expires_at else e.expires_at end`],
    ['updated_at', `case when ${isReady} then held.claimed_at else e.updated_at end`],
  ].flatMap(([name = '', value]) => (set.has(name) ? [] : [`${name} = ${value}`]))
  const settings = [settingsOf(alike, cells), ...claimed].filter((part) => part !== '').join(', ')
  const leases = bindTexts(values, [...new Set(alike.members.map(({ leaseId = '' }) => toSqlText(leaseId)))])
  // A share of the claim keeps it from being changed; what will change it itself takes it whole at once.
  const held = `held as materialized (
      select lease_id, executor_id, claimed_at, expires_at, ${wholeMembers('members')} as members from ${tables.claims}
      where lease_id = any(${leases}) for ${makesReady(alike) ? 'update' : 'share'})`
  const text = `update ${tables.rows} e set ${settings}
    from ${source === '' ? '(values (1)) as given(c1)' : source} left join held on held.lease_id = ${lease}
    where e.execution_id = ${id}
      and ((${isReady} and held.members @> e.seq) or (${alike.guard} and ${isUnderLease(lease)}))`
  return { text: asUpdate(tables, text, alike.members[0]?.update, held), values }
}
