/**
 * Rows that this process inserted running. They say themselves under which lease they run, and no claim names them: they are
 * settled without a look at claims, which costs 35 µs of 450 where one is settled alone.
 */

import { type ExecutionRow } from '../../machine/execution.ts'
import { type DurableStorageGuardedUpdate } from '../contract.ts'
import { type SqlValue } from '../sql/fields.ts'
import { OneRow } from '../sql/one-row.ts'
import { toSqlText } from '../sql/text.ts'
import { type AlikeUpdates, GuardedStatements } from '../sql/updates.ts'
import { type Statement } from './claim-statements.ts'
import { settingsOf, tabulated } from './guarded-updates.ts'
import { expressionsOf, USUAL_WHEN_SETTLED } from './one-row.ts'
import { isUnderLease } from './statements.ts'
import { type Tables } from './tables.ts'

// So many leases are remembered at least, and twice as many at most. A row whose lease is forgotten is settled like any other.
const LEASES = 1_000

export class EarlyRows {
  readonly #tables: Tables
  readonly #oneRow: GuardedStatements<OneRow<string>>
  #young = new Set<string>()
  #old = new Set<string>()

  constructor(tables: Tables) {
    this.#tables = tables
    this.#oneRow = new GuardedStatements(
      ({ columns, guard }) =>
        new OneRow(columns, USUAL_WHEN_SETTLED, (parts) => {
          const values = expressionsOf(parts, USUAL_WHEN_SETTLED, 2)
          return this.#text(settingsOf({ columns }, values), '', '$1::text', guard, '$2::text')
        }),
    )
  }

  /** Rows are about to be inserted. Whether they come to be does not matter: no claim is made under the lease of an insert. */
  note(rows: ReadonlyArray<ExecutionRow>): void {
    for (const { status, leaseId } of rows) {
      if (status === 'running' && leaseId !== undefined) {
        this.#young.add(leaseId)
        if (this.#young.size >= LEASES) {
          this.#old = this.#young
          this.#young = new Set()
        }
      }
    }
  }

  /** The statement that changes running rows under their leases; undefined unless all are believed to say so themselves. */
  settling(alike: AlikeUpdates): Statement | undefined {
    const { members } = alike
    if (!members.every((one) => this.#isKnown(one))) {
      return undefined
    }
    const [only] = members
    return members.length === 1 && only !== undefined ? this.#settleOne(alike, only) : this.#settleMany(alike)
  }

  #isKnown({ leaseId = '' }: DurableStorageGuardedUpdate): boolean {
    return this.#young.has(leaseId) || this.#old.has(leaseId)
  }

  #settleOne(
    alike: AlikeUpdates,
    { executionId, leaseId = '', update }: DurableStorageGuardedUpdate,
  ): Statement {
    const values: Array<SqlValue> = [toSqlText(executionId), toSqlText(leaseId)]
    const text = this.#oneRow.of(alike).of(update, values)
    return { text, values }
  }

  #settleMany(alike: AlikeUpdates): Statement {
    const { values, cells, source, id, lease } = tabulated(alike)
    const from = source === '' ? '' : `from ${source}`
    const settings = settingsOf(alike, cells)
    return { text: this.#text(settings, from, id, alike.guard, lease), values }
  }

  #text(settings: string, from: string, id: string, guard: string, lease: string | undefined): string {
    return `update ${this.#tables.rows} e set ${settings} ${from}
      where e.execution_id = ${id} and ${guard} and ${isUnderLease(lease)} returning e.execution_id`
  }
}
