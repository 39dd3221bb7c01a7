/** Making rows say themselves what a claim says of them, before anything else is done with them; see `claims-schema.ts`. */

import { type Given } from './driver.ts'
import { namesIt } from './claims-texts.ts'
import { bindTexts } from './columns.ts'
import { bindIds, inLockOrder } from './statements.ts'
import { type Tables } from './tables.ts'
import { type Statements } from './transaction.ts'

/**
 * Locks the rows and writes them out; gives how many of them a claim had. With statuses that do not hold `ready`, rows that have another one, and
 * are no ready ones either, are not locked: what becomes of them meanwhile has none of these statuses in the rows themselves.
 */
export async function writeOut(
  statements: Statements,
  tables: Tables,
  executionIds: ReadonlyArray<string>,
  statuses?: ReadonlyArray<string>,
): Promise<number> {
  const unknown = executionIds.filter((executionId) => !statements.known.has(executionId))
  if (unknown.length === 0) {
    return 0
  }
  const values: Array<Given> = []
  const ids = bindIds(values, inLockOrder(unknown))
  const locked =
    statuses === undefined || statuses.includes('ready') ? 'null' : bindTexts(values, ['ready', ...statuses])
  const answer = await statements.run(
    `select ${tables.writeOut}(${ids}, ${locked}, false) as written`,
    values,
  )
  return Number(answer[0]?.[0])
}

/** Writes out what nobody else has locked, and waits for nothing. */
export async function writeOutUnlocked(
  statements: Statements,
  tables: Tables,
  executionIds: ReadonlyArray<string>,
): Promise<void> {
  const values: Array<Given> = []
  const ids = bindIds(values, inLockOrder(executionIds))
  await statements.run(`select ${tables.writeOut}(${ids}, array['ready'], true) as written`, values)
}

/** Writes out all that is claimed. Nothing is claimed from then on, until the transaction ends. */
export async function writeOutAll(statements: Statements, tables: Tables): Promise<void> {
  await statements.run(`select ${tables.writeOutAll}() as written`, [])
}

/** Whether rows of these statuses may be ones that a claim names. */
export function mayBeClaimed(statuses: ReadonlyArray<string> | undefined): boolean {
  return statuses === undefined || statuses.includes('ready') || statuses.includes('running')
}

/** The condition that no claim names the row. */
export function isNamedByNone({ claims }: Tables): string {
  return `not exists (select from ${claims} c where ${namesIt('')})`
}

/** An update that makes rows ready: no claim names them afterwards. */
export function outOfClaims({ claims }: Tables, update: string, before?: string): string {
  return `with ${before === undefined ? '' : `${before},`} changed as (${update} returning e.execution_id, e.seq),
    gone as (select coalesce(range_agg(int8range(seq, seq, '[]')), '{}') as members from changed),
    freed as (
      update ${claims} c set members = c.members - (select members from gone)
      where c.members && (select members from gone))
    select execution_id from changed`
}
