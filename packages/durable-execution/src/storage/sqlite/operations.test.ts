/** What the operations find, change and refuse, beyond what any storage must. */

import { DatabaseSync } from 'node:sqlite'

import Better from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'

import {
  createDurableTaskExecutionStorageObject,
  type ExecutionRow,
  type ExecutionUpdate,
} from '../../machine/execution.ts'
import { createSqliteStorage, type SqliteStorage } from './index.ts'

const NOW = new Date(1_000_000)
const later = (ms: number): Date => new Date(NOW.getTime() + ms)

function row(executionId: string, fields: Partial<ExecutionRow> = {}): ExecutionRow {
  return {
    ...createDurableTaskExecutionStorageObject({
      now: NOW,
      taskId: 'task',
      executionId,
      retryOptions: { maxAttempts: 0 },
      sleepMsBeforeRun: 0,
      timeoutMs: 1_000,
      runInput: 'input',
    }),
    ...fields,
  }
}

const running = (executionId: string, leaseId: string): ExecutionRow =>
  row(executionId, { status: 'running', leaseId, startedAt: NOW, expiresAt: later(1_000) })

const byIds = (
  ...executionIds: Array<string>
): { type: 'by_execution_ids'; executionIds: Array<string> } => ({
  type: 'by_execution_ids',
  executionIds,
})

const CLAIM = {
  taskIds: ['task'],
  excludedExecutionIds: [],
  limit: 10,
  now: NOW,
  expiresAt: later(5_000),
  leaseId: 'lease',
  executorId: 'executor',
}

describe.each(['node:sqlite', 'better-sqlite3'])('with %s', (library) => {
  const given = async (...rows: Array<ExecutionRow>): Promise<SqliteStorage> => {
    const database = library === 'node:sqlite' ? new DatabaseSync(':memory:') : new Better(':memory:')
    onTestFinished(() => {
      database.close()
    })
    const storage = createSqliteStorage({ database })
    await storage.withTransaction(async (tx) => {
      await tx.insertTaskExecutions(rows)
    })
    return storage
  }
  const idsOf = async (storage: SqliteStorage): Promise<Array<string>> =>
    await storage.withTransaction(
      async (tx) => await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: ['ready', 'running'] }),
    )

  test('an id that exists already is refused, and none of its batch is inserted', async () => {
    const storage = await given(row('b'))
    const batch = Array.from({ length: 45 }, (_, index) => row(index === 40 ? 'b' : `new${index}`))
    await storage.withTransaction(async (tx) => {
      expect(() => tx.insertTaskExecutions(batch)).toThrow('Task execution b already exists')
      await tx.insertTaskExecutions([row('c')])
    })
    expect(await idsOf(storage)).toEqual(['b', 'c'])
  })

  test('an id that is twice in one batch is refused, and none of it is inserted', async () => {
    const storage = await given()
    const insert = storage.withTransaction(async (tx) => {
      await tx.insertTaskExecutions([row('a'), row('b'), row('b')])
    })
    await expect(insert).rejects.toMatchObject({
      message: 'Task execution b already exists',
      isRetryable: false,
    })
    expect(await idsOf(storage)).toEqual([])
  })

  test('an update by ids takes any number of ids', async () => {
    const storage = await given(row('a'), row('b'))
    const many = Array.from({ length: 100_000 }, (_, index) => `none${index}`)
    const updated = await storage.withTransaction(
      async (tx) => await tx.updateTaskExecutions(byIds('b', ...many, 'a'), { updatedAt: later(1) }),
    )
    expect(updated).toEqual(['a', 'b'])
  })

  test('fields of 100,000 rows are read at once', async () => {
    const ids = Array.from({ length: 100_000 }, (_, index) => `te_${index}`)
    const storage = await given(...ids.map((id) => row(id, { output: id })))
    const read = await storage.withTransaction(
      async (tx) => await tx.getTaskExecutionFields?.(ids, ['output']),
    )
    expect(read?.at(-1)).toEqual({ executionId: 'te_99999', output: 'te_99999' })
  })

  test.each([
    [0, []],
    [2, ['a', 'b']],
    [2.5, ['a', 'b']],
    [-1, ['a', 'b', 'c']],
    [Number.NaN, ['a', 'b', 'c']],
    [Number.POSITIVE_INFINITY, ['a', 'b', 'c']],
    [undefined, ['a', 'b', 'c']],
  ])('a limit of %s gives %j', async (limit, ids) => {
    const storage = await given(row('a'), row('b'), row('c'))
    const found = await storage.withTransaction(
      async (tx) => await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: ['ready'] }, limit),
    )
    expect(found).toEqual(ids)
  })

  test('a claim takes the earliest due rows of its tasks, in the order in which they are due', async () => {
    const storage = await given(
      row('late', { startAt: later(1) }),
      row('second'),
      row('third'),
      row('first', { startAt: later(-5) }),
      row('unknown', { taskId: 'other', startAt: later(-9) }),
      row('excluded', { startAt: later(-9) }),
    )
    const claimed = await storage.withTransaction(
      async (tx) =>
        await tx.claimTaskExecutions?.({ ...CLAIM, limit: 2, excludedExecutionIds: ['excluded'] }),
    )
    expect(claimed?.map(({ executionId }) => executionId)).toEqual(['first', 'second'])
  })

  test('a claimed row comes back whole, under its lease, with what was kept for it', async () => {
    const childrenTasks = [{ taskId: 'task', executionId: 'child' }]
    const before = row('a', { childrenTasks, startedAt: later(-7) })
    const storage = await given(before)
    const claimed = await storage.withTransaction(async (tx) => await tx.claimTaskExecutions?.(CLAIM))
    const { expiresAt, leaseId, executorId } = CLAIM
    const lease = { startedAt: NOW, expiresAt, leaseId, executorId, updatedAt: NOW }
    expect(claimed).toStrictEqual([{ ...before, status: 'running', ...lease }])
  })

  test('each claim of a row starts later than the one before, whatever the clock says', async () => {
    const storage = await given(row('a', { startedAt: later(3) }))
    const claimed = await storage.withTransaction(async (tx) => await tx.claimTaskExecutions?.(CLAIM))
    expect(claimed?.[0]?.startedAt).toEqual(later(4))
  })

  test('a guarded update changes only the rows whose guard holds', async () => {
    const storage = await given(running('a', 'mine'), running('b', 'stolen'), row('c'), row('d'))
    const update: ExecutionUpdate = { status: 'completed', updatedAt: NOW, unsetExpiresAt: true }
    const changed = await storage.withTransaction(
      async (tx) =>
        await tx.updateTaskExecutionsBatch?.([
          { executionId: 'a', statuses: ['running'], leaseId: 'mine', update },
          { executionId: 'b', statuses: ['running'], leaseId: 'mine', update },
          { executionId: 'c', statuses: ['running', 'waiting_for_finalize_task'], update },
          { executionId: 'd', update },
          { executionId: 'missing', update },
        ]),
    )
    expect(changed).toEqual(['a', 'd'])
  })

  test('a guard without a status matches nothing', async () => {
    const storage = await given(row('a'))
    const changed = await storage.withTransaction(
      async (tx) =>
        await tx.updateTaskExecutionsBatch?.([
          { executionId: 'a', statuses: [], update: { isClosed: true, updatedAt: NOW } },
        ]),
    )
    expect(changed).toEqual([])
  })

  test('a lean read has no heavy fields', async () => {
    const heavy = { runInput: 'i', runOutput: 'r', output: 'o', childrenTasks: [] }
    const storage = await given(row('a', heavy))
    const [lean] = (await storage.withTransaction(
      async (tx) => await tx.lockTaskExecutions?.(['a'], { isLean: true }),
    )) ?? [undefined]
    expect(Object.keys(heavy).filter((name) => lean === undefined || name in lean)).toEqual([])
  })

  test('a locked row is read whole', async () => {
    const whole = row('a', { childrenTasks: [{ taskId: 't', executionId: 'e' }], output: '' })
    const storage = await given(whole)
    const read = await storage.withTransaction(
      async (tx) => await tx.lockTaskExecutions?.(['a', 'none', 'a']),
    )
    expect(read).toStrictEqual([whole])
  })

  test('leases that still hold are renewed, the others are missing from the answer', async () => {
    const storage = await given(running('a', 'mine'), running('b', 'stolen'), row('c', { leaseId: 'mine' }))
    const leases = ['a', 'b', 'c', 'none'].map((executionId) => ({ executionId, leaseId: 'mine' }))
    const renewed = await storage.withTransaction(
      async (tx) => await tx.renewTaskExecutions?.({ leases, expiresAt: later(9_000), now: later(5) }),
    )
    const [a, b] = await storage.withTransaction(async (tx) => await tx.getTaskExecutions(byIds('a', 'b')))
    expect([renewed, a?.expiresAt, a?.updatedAt, b]).toEqual([
      [{ executionId: 'a' }],
      later(9_000),
      later(5),
      running('b', 'stolen'),
    ])
  })

  test('below a parent are its active and its unclosed children', async () => {
    const parentTask = { taskId: 'task', executionId: 'parent' }
    const storage = await given(
      row('closed', { parentTask, status: 'completed', isClosed: true }),
      row('ready', { parentTask }),
      row('other'),
      row('unclosed', { parentTask, status: 'failed' }),
      row('last', { parentTask, status: 'waiting_for_children_tasks', isClosed: true }),
    )
    const below = async (limit: number): Promise<Array<string> | undefined> =>
      await storage.withTransaction(async (tx) => await tx.getTaskExecutionIdsBelow?.('parent', limit))
    expect([await below(10), await below(1)]).toEqual([['ready', 'unclosed', 'last'], ['ready']])
  })

  test('a new list of children takes the place of the old one', async () => {
    const storage = await given(row('a', { childrenTasks: [{ taskId: 't', executionId: 'old' }] }), row('b'))
    const childrenTasks = [{ taskId: 't', executionId: 'new' }]
    const update = { childrenTasks, updatedAt: NOW }
    const read = await storage.withTransaction(async (tx) => {
      await tx.updateTaskExecutions(byIds('a'), update)
      await tx.updateTaskExecutionsBatch?.([{ executionId: 'b', update }])
      return await tx.getTaskExecutions(byIds('a', 'b'))
    })
    expect(read.map((one) => one.childrenTasks)).toEqual([childrenTasks, childrenTasks])
  })
})
