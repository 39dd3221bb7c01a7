/** Generated meetings of two connections. */

import * as fc from 'fast-check'

import { type Command, command, differentRows, type Transaction } from './commands.ts'
import { type Row } from './generated-rows.ts'
import { type Meeting } from './serial.ts'

const schedule = fc.array(fc.nat({ max: 1 }), { minLength: 1, maxLength: 24 })

const end = fc.constantFrom<'commit' | 'rollback'>('commit', 'commit', 'commit', 'rollback')

const transactions = (commands: fc.Arbitrary<Array<Command>>): fc.Arbitrary<Array<Transaction>> =>
  fc.array(fc.record({ end, isHinted: fc.boolean(), commands }), { minLength: 1, maxLength: 3 })

const anyCommands = transactions(fc.array(command, { minLength: 1, maxLength: 3 }))

/** Any commands at all, for a storage that lets one transaction write at a time. */
export const anyMeeting: fc.Arbitrary<Meeting> = fc.record({
  rows: differentRows(8),
  actors: fc.tuple(anyCommands, anyCommands),
  schedule,
})

/**
 * Transactions that lock rows before anything else, and then keep to those and to rows of their own: where rows are locked
 * until the end they must come out as if they had run one after the other.
 */
export const lockingMeeting: fc.Arbitrary<Meeting> = anyMeeting.map(({ rows, actors, schedule }) => ({
  rows,
  actors: [keepToLocked(rows, actors[0], 'one'), keepToLocked(rows, actors[1], 'other')],
  schedule,
}))

function keepToLocked(rows: Array<Row>, given: Array<Transaction>, actor: string): Array<Transaction> {
  const known = rows.map((row) => row.executionId)
  return given.flatMap((transaction, index) => {
    // Every other row is left to the other one; the rest are what they fight for.
    const locked = known.filter((_, place) => place % 3 !== index % 3)
    const commands = transaction.commands.flatMap((one) => keptTo(one, locked, `${actor}_${index}`))
    const lock: Command = { kind: 'lock', executionIds: locked, isLean: false, now: new Date(index) }
    return locked.length === 0 ? [] : [{ ...transaction, isHinted: false, commands: [lock, ...commands] }]
  })
}

/** The command, if it can be said of these rows alone. */
function keptTo(one: Command, locked: Array<string>, own: string): Array<Command> {
  const keep = (ids: Array<string>): Array<string> => ids.filter((id) => locked.includes(id))
  switch (one.kind) {
    case 'insert':
    case 'insert if missing':
      return [
        {
          ...one,
          rows: one.rows.slice(0, 3).map((row, index) => ({ ...row, executionId: `${own}_${index}` })),
        },
      ]
    case 'find':
    case 'read':
    case 'update':
    case 'update with limit':
      return [{ ...one, where: keptWhere(one.where, locked) }]
    case 'update batch':
      return [{ ...one, updates: one.updates.filter(({ executionId }) => locked.includes(executionId)) }]
    case 'lock':
    case 'fields':
      return [{ ...one, executionIds: keep(one.executionIds) }]
    case 'renew': {
      const leases = one.renew.leases.filter(({ executionId }) => locked.includes(executionId))
      return [{ ...one, renew: { ...one.renew, leases } }]
    }
    case 'claim':
    case 'in ranges':
    case 'below':
      return []
  }
}

function keptWhere(
  where: Extract<Command, { kind: 'find' }>['where'],
  locked: Array<string>,
): Extract<Command, { kind: 'find' }>['where'] {
  return where.type === 'by_execution_ids'
    ? { ...where, executionIds: where.executionIds.filter((id) => locked.includes(id)) }
    : { type: 'by_execution_ids', executionIds: locked, statuses: where.statuses }
}
