/** Rows and updates of any shape, written and read with both libraries. */

import { DatabaseSync } from 'node:sqlite'

import Better from 'better-sqlite3'
import * as fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'

import { type ExecutionRow, type ExecutionUpdate } from '../../machine/execution.ts'
import { ALL_STATUSES } from '../../machine/status.ts'
import { applyUpdate } from '../../machine/update.ts'
import { createSqliteStorage, type SqliteStorage } from './index.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '\0', 'a\0b', '\ud800', 'x\udfffy', '\u001b[1m', '\ufeff', 'null', '1'),
)
const PLAIN = { noNullPrototype: true } as const
const date = fc.date({ noInvalidDate: true })
const count = fc.nat()
const error = fc.record(
  {
    errorType: fc.constantFrom('generic' as const, 'timed_out' as const, 'cancelled' as const),
    message: text,
    isRetryable: fc.boolean(),
  },
  PLAIN,
)
const named = fc.record({ taskId: text, executionId: text }, PLAIN)
const childError = fc.record({ index: count, taskId: text, executionId: text, error }, PLAIN)

const updatable = {
  runOutput: text,
  output: text,
  childrenTasks: fc.array(named, { maxLength: 3 }),
  childrenTasksErrors: fc.array(childError, { maxLength: 3 }),
  finalizeTask: named,
  finalizeTaskError: error,
  error,
  startedAt: date,
  finishedAt: date,
  expiresAt: date,
  leaseId: text,
  executorId: text,
  losses: count,
  childrenTasksCount: count,
  hasCompensations: fc.boolean(),
  childrenTasksFailedCount: count,
  suspendedFor: fc.array(
    fc.record({ kind: fc.constant('sleep' as const), name: text, until: count }, PLAIN),
    { maxLength: 2 },
  ),
}
const always = {
  childrenTasksCompletedCount: count,
  status: fc.constantFrom(...ALL_STATUSES),
  isClosed: fc.boolean(),
  needsPromiseCancellation: fc.boolean(),
  retryAttempts: count,
  startAt: date,
  updatedAt: date,
}
const fixed = {
  taskId: text,
  executionId: text,
  retryOptions: fc.record(
    {
      maxAttempts: count,
      baseDelayMs: count,
      delayMultiplier: fc.double({ min: 0.1, max: 9, noNaN: true }),
      maxDelayMs: count,
    },
    { ...PLAIN, requiredKeys: ['maxAttempts'] },
  ),
  sleepMsBeforeRun: count,
  timeoutMs: fc.oneof(count, fc.constantFrom(Number.MAX_SAFE_INTEGER, 2 ** 60, 1e300)),
  runInput: text,
  createdAt: date,
}
const family = {
  rootTask: named,
  parentTask: fc.record(
    { taskId: text, executionId: text, isFinalizeTask: fc.boolean() },
    { ...PLAIN, requiredKeys: ['taskId', 'executionId'] },
  ),
  depth: count,
  childIndex: count,
  priority: count,
  tags: fc.dictionary(fc.constantFrom('customer', 'a.b', 'x'), text, PLAIN),
  deadlineAt: date,
}
const anyRow = fc.record(
  { ...fixed, ...always, ...updatable, ...family },
  { ...PLAIN, requiredKeys: [...keysOf(fixed), ...keysOf(always)] },
) as fc.Arbitrary<ExecutionRow>
const anyRows = fc.uniqueArray(anyRow, {
  selector: ({ executionId }) => executionId,
  minLength: 1,
  maxLength: 30,
})
const anyUpdate = fc.record(
  { ...always, ...updatable, unsetError: fc.boolean(), unsetExpiresAt: fc.boolean() },
  { ...PLAIN, requiredKeys: ['updatedAt'] },
) as fc.Arbitrary<ExecutionUpdate>

describe.each(['node:sqlite', 'better-sqlite3'])('with %s', (library) => {
  const open = (): SqliteStorage => {
    const database = library === 'node:sqlite' ? new DatabaseSync(':memory:') : new Better(':memory:')
    onTestFinished(() => {
      database.close()
    })
    return createSqliteStorage({ database })
  }

  test('what is inserted is read back, and nothing more', async () => {
    const storage = open()
    await fc.assert(
      fc.asyncProperty(anyRows, async (rows) => {
        expect(await inserted(storage, rows)).toStrictEqual(rows)
      }),
    )
  })

  test('an update leaves what the same update of a row in memory leaves', async () => {
    const storage = open()
    await fc.assert(
      fc.asyncProperty(anyRow, anyUpdate, async (row, update) => {
        const updated = await inserted(storage, [row], update)
        expect(updated).toEqual([applyUpdate(row, update)])
      }),
    )
  })

  test.each([
    ['a date', { startAt: new Date(Number.NaN) }],
    ['a number', { losses: Number.NaN }],
    ['a retry option', { retryOptions: { maxAttempts: Number.POSITIVE_INFINITY } }],
  ])('%s that would come back as another is refused, and nothing is inserted', async (_, field) => {
    const storage = open()
    const rows = fc.sample(anyRow, 50).map((row, index) => ({ ...row, executionId: `te_${index}` }))
    const batch = rows.map((row, index) => (index === 40 ? { ...row, ...field } : row))
    const found = await storage.withTransaction(async (tx) => {
      expect(() => tx.insertTaskExecutions(batch)).toThrow('A task execution cannot be stored')
      return await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: [...ALL_STATUSES] })
    })
    expect(found).toEqual([])
  })
})

function keysOf<T extends object>(fields: T): Array<keyof T> {
  return Object.keys(fields) as Array<keyof T>
}

/** The rows as they are read after being inserted, and updated; the transaction leaves nothing behind. */
async function inserted(
  storage: SqliteStorage,
  rows: Array<ExecutionRow>,
  update?: ExecutionUpdate,
): Promise<Array<ExecutionRow>> {
  const done = Symbol('done')
  let read: Array<ExecutionRow> = []
  await storage
    .withTransaction(async (tx) => {
      const where = {
        type: 'by_execution_ids' as const,
        executionIds: rows.map(({ executionId }) => executionId),
      }
      await tx.insertTaskExecutions(rows)
      if (update !== undefined) {
        await tx.updateTaskExecutions(where, update)
      }
      read = await tx.getTaskExecutions(where)
      throw done
    })
    .catch((error: unknown) => {
      if (error !== done) {
        throw error
      }
    })
  return read
}
