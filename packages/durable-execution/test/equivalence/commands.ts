/** Generated commands: every operation of the contract, and every optional member of a transaction. */

import * as fc from 'fast-check'

import {
  type DurableStorageClaim,
  type DurableStorageGuardedUpdate,
  type DurableStorageIdRange,
  type DurableStorageRenew,
} from '../../src/storage/contract.ts'
import { idRange } from '../../src/machine/records.ts'
import {
  executionId,
  executionIds,
  leaseId,
  row,
  type Row,
  statuses,
  taskId,
  type Update,
  update,
  where,
  type Where,
} from './generated-rows.ts'
import { limit, nearMoment, text } from './values.ts'

/** One call on a transaction. */
export type Command =
  | { kind: 'insert'; rows: Array<Row> }
  | { kind: 'insert if missing'; rows: Array<Row> }
  | { kind: 'find'; where: Where; limit: number | undefined }
  | { kind: 'read'; where: Where; limit: number | undefined }
  | { kind: 'update'; where: Where; update: Update }
  | { kind: 'update with limit'; where: Where; update: Update; limit: number | undefined }
  | { kind: 'claim'; claim: DurableStorageClaim }
  | { kind: 'update batch'; updates: Array<DurableStorageGuardedUpdate> }
  | { kind: 'lock'; executionIds: Array<string>; isLean: boolean; now: Date }
  | { kind: 'fields'; executionIds: Array<string>; fields: Array<keyof Row> }
  | { kind: 'renew'; renew: DurableStorageRenew }
  | { kind: 'in ranges'; ranges: Array<DurableStorageIdRange> }
  | { kind: 'below'; parentExecutionId: string; limit: number }

/** Commands that are kept or undone together. */
export type Transaction = {
  end: 'commit' | 'rollback'
  /** Whether the storage is told that there is one call only, if that is so. */
  isHinted: boolean
  commands: Array<Command>
}

/** Rows of which none has the id of another. */
export const differentRows = (max: number): fc.Arbitrary<Array<Row>> =>
  fc.uniqueArray(row, { maxLength: max, selector: (one) => one.executionId })

// Storages write rows by fifties, and what many of them have in common only once.
const manyRows = fc
  .tuple(
    fc.array(row, { minLength: 1, maxLength: 3 }),
    fc.constantFrom(49, 50, 51, 101),
    fc.constantFrom('many', "many'", 'many\u001F'),
  )
  .map(([patterns, times, name]): Array<Row> =>
    Array.from({ length: times }, (_, index) => patterns[index % patterns.length]).flatMap((pattern, index) =>
      pattern === undefined ? [] : [{ ...pattern, executionId: `${name}_${index}` }],
    ),
  )

const insert: fc.Arbitrary<Array<Row>> = fc.oneof(
  { weight: 9, arbitrary: differentRows(4) },
  { weight: 3, arbitrary: fc.array(row, { maxLength: 3 }) },
  { weight: 1, arbitrary: manyRows },
)

const claim: fc.Arbitrary<DurableStorageClaim> = fc.record(
  {
    taskIds: fc.uniqueArray(taskId, { minLength: 1 }),
    excludedExecutionIds: executionIds,
    lossesLessThan: fc.constantFrom(0, 1, 2, 4),
    limit: fc.constantFrom(1, 2, 3, 100),
    now: nearMoment,
    expiresAt: nearMoment,
    leaseId,
    executorId: text,
  },
  {
    requiredKeys: ['taskIds', 'excludedExecutionIds', 'limit', 'now', 'expiresAt', 'leaseId', 'executorId'],
  },
)

const guardedUpdates = fc.uniqueArray(
  fc.record({ executionId, statuses, leaseId, update }, { requiredKeys: ['executionId', 'update'] }),
  { maxLength: 6, selector: (one) => one.executionId },
)

const renew: fc.Arbitrary<DurableStorageRenew> = fc.record({
  leases: fc.uniqueArray(fc.record({ executionId, leaseId }), {
    maxLength: 6,
    selector: (one) => one.executionId,
  }),
  expiresAt: nearMoment,
  now: nearMoment,
})

const ranges: fc.Arbitrary<Array<DurableStorageIdRange>> = fc
  .uniqueArray(fc.constantFrom('te_a', 'te_b', 'TE_A', 'te', 'te_a ', "te_'a", 'te_none'), {
    maxLength: 4,
  })
  .map((ids) => ids.map(idRange))

const FIELDS = [
  'rootTask',
  'parentTask',
  'taskId',
  'retryOptions',
  'timeoutMs',
  'runInput',
  'output',
  'childrenTasks',
  'childrenTasksErrors',
  'finalizeTaskError',
  'error',
  'status',
  'isClosed',
  'startAt',
  'startedAt',
  'leaseId',
  'losses',
  'childIndex',
  'priority',
] as const satisfies Array<keyof Row>

const kind = <Kind extends Command['kind']>(name: Kind): fc.Arbitrary<Kind> => fc.constant(name)

/** One command of any kind. */
export const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ kind: kind('insert'), rows: insert }),
  fc.record({ kind: kind('insert if missing'), rows: differentRows(4) }),
  fc.record({ kind: kind('find'), where, limit }),
  fc.record({ kind: kind('read'), where, limit }),
  fc.record({ kind: kind('update'), where, update }),
  fc.record({ kind: kind('update with limit'), where, update, limit }),
  fc.record({ kind: kind('claim'), claim }),
  fc.record({ kind: kind('update batch'), updates: guardedUpdates }),
  fc.record({ kind: kind('lock'), executionIds, isLean: fc.boolean(), now: nearMoment }),
  fc.record({
    kind: kind('fields'),
    executionIds,
    fields: fc.subarray<keyof Row>([...FIELDS]),
  }),
  fc.record({ kind: kind('renew'), renew }),
  fc.record({ kind: kind('in ranges'), ranges }),
  fc.record({ kind: kind('below'), parentExecutionId: executionId, limit: fc.constantFrom(0, 1, 2, 100) }),
)

const transaction: fc.Arbitrary<Transaction> = fc.record({
  end: fc.constantFrom<'commit' | 'rollback'>('commit', 'commit', 'commit', 'rollback'),
  isHinted: fc.boolean(),
  commands: fc.array(command, { minLength: 1, maxLength: 5 }),
})

/** Transactions one after another; the first puts rows there. */
export const sequence: fc.Arbitrary<Array<Transaction>> = fc
  .tuple(differentRows(8), fc.array(transaction, { minLength: 1, maxLength: 4 }))
  .map(([rows, transactions]) => [
    { end: 'commit', isHinted: false, commands: [{ kind: 'insert', rows }] },
    ...transactions,
  ])
