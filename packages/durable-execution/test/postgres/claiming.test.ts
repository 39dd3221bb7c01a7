/** Claims that go on where the last one ended: what they find, and what happens when only a part succeeds. */

import { Pool } from 'pg'
import { beforeAll, expect, onTestFinished, test } from 'vitest'

import { type ExecutionRow } from '../../src/machine/execution.ts'
import { type DurableStorage, type DurableStorageClaim } from '../../src/storage/contract.ts'
import {
  createPostgresStorage,
  POSTGRES_SESSION_OPTIONS,
  type PostgresPool,
  type PostgresPoolClient,
  type PostgresQuery,
  type PostgresStorageOptions,
} from '../../src/storage/postgres/index.ts'
import { newSchema } from './places.ts'
import { AT, claimOf, insert, readyIds, rowOf } from './rows.ts'
import { freshDatabase } from './server.ts'

let connectionString: string

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 60_000)

function open(options: Partial<PostgresStorageOptions> = {}): DurableStorage {
  const storage = createPostgresStorage({
    ...(options.pool === undefined ? { connectionString } : {}),
    schema: newSchema(),
    hints: false,
    ...options,
  } as PostgresStorageOptions)
  onTestFinished(() => storage.close())
  return storage
}

async function claim(
  storage: DurableStorage,
  limit: number,
  afterMs = 0,
  fields: Partial<DurableStorageClaim> = {},
): Promise<Array<string>> {
  const now = new Date(AT.getTime() + afterMs)
  const rows = await storage.withTransaction(
    async (tx) => await tx.claimTaskExecutions?.(claimOf({ limit, now, ...fields })),
    { oneCall: true },
  )
  return (rows ?? []).map(({ executionId }) => executionId)
}

const earlier = new Date(AT.getTime() - 1_000)
const six = ['te_1', 'te_2', 'te_3', 'te_4', 'te_5', 'te_6'].map((id) => rowOf(id))

test('what became ready before the place of the last claim is taken with the last of the others', async () => {
  const storage = open()
  await insert(storage, ...six)
  expect(await claim(storage, 2)).toEqual(['te_1', 'te_2'])
  await insert(storage, rowOf('te_back', { startAt: earlier }))
  expect(await claim(storage, 3)).toEqual(['te_3', 'te_4', 'te_5'])
  expect(await claim(storage, 3)).toEqual(['te_back', 'te_6'])
  expect(await claim(storage, 3)).toEqual([])
})

test('or a second later, before all others', async () => {
  const storage = open()
  await insert(storage, ...six)
  expect(await claim(storage, 2)).toEqual(['te_1', 'te_2'])
  await insert(storage, rowOf('te_back', { startAt: earlier }))
  expect(await claim(storage, 2, 1_000)).toEqual(['te_back', 'te_3'])
})

/** What the rows say of themselves, in the order of their insertion. */
async function writtenStatuses(schema: string): Promise<Array<string>> {
  const pool = new Pool({ connectionString })
  onTestFinished(() => pool.end())
  const { rows } = await pool.query<{ status: string }>(
    `select status from ${schema}.execution_rows order by seq`,
  )
  return rows.map(({ status }) => status)
}

const SOON_MS = 100
const eight = [1, 2, 3, 4, 5, 6, 7, 8].map((ms) => rowOf(`te_${ms}`, { startAt: afterAt(ms) }))
// Behind the second of them, and before the third.
const between = rowOf('te_between', { startAt: afterAt(2) })

function afterAt(ms: number): Date {
  return new Date(AT.getTime() + ms)
}

/** One has taken two of the eight, another one three more, and then a row was inserted between those. Gives the first. */
async function passedBy({
  rows = eight,
  ownFields = {},
  othersFields = {},
}: {
  rows?: ReadonlyArray<ExecutionRow>
  ownFields?: Partial<DurableStorageClaim>
  othersFields?: Partial<DurableStorageClaim>
} = {}): Promise<DurableStorage> {
  const schema = newSchema()
  const [one, other] = [open({ schema }), open({ schema })]
  await insert(one, ...rows)
  expect(await claim(one, 2, SOON_MS, ownFields)).toEqual(['te_1', 'te_2'])
  expect(await claim(other, 3, SOON_MS, othersFields)).toEqual(['te_3', 'te_4', 'te_5'])
  await insert(one, between)
  return one
}

test('a claim goes on behind what another process took of the same tasks', async () => {
  const one = await passedBy()
  expect(await claim(one, 2, SOON_MS)).toEqual(['te_6', 'te_7'])
  expect(await claim(one, 2, SOON_MS + 1_000)).toEqual(['te_between', 'te_8'])
})

test('what it passes by is taken where there is not enough behind', async () => {
  const one = await passedBy()
  expect(await claim(one, 5, SOON_MS)).toEqual(['te_between', 'te_6', 'te_7', 'te_8'])
})

test('of children, which are not named by claims, too', async () => {
  const parentTask = { taskId: 'parent', executionId: 'te_parent' }
  const one = await passedBy({ rows: eight.map((row) => ({ ...row, rootTask: parentTask, parentTask })) })
  expect(await claim(one, 2, SOON_MS)).toEqual(['te_6', 'te_7'])
})

test.each<Partial<DurableStorageClaim>>([{ taskIds: ['task', 'another'] }, { lossesLessThan: 3 }])(
  'a claim does not go on behind what another one took that sought something else: %j',
  async (othersFields) => {
    const one = await passedBy({ othersFields })
    expect(await claim(one, 2, SOON_MS)).toEqual(['te_between', 'te_6'])
  },
)

test('it does in whatever order they define the tasks', async () => {
  const ownFields = { taskIds: ['a', 'task'] }
  const one = await passedBy({ ownFields, othersFields: { taskIds: ['task', 'a'] } })
  expect(await claim(one, 2, SOON_MS, ownFields)).toEqual(['te_6', 'te_7'])
})

test('once one process has found what was passed by, all go on with it until there is no more', async () => {
  const schema = newSchema()
  const [one, other] = [open({ schema }), open({ schema })]
  await insert(one, ...eight)
  expect(await claim(one, 1, SOON_MS)).toEqual(['te_1'])
  expect(await claim(other, 1, SOON_MS + 500)).toEqual(['te_2'])
  const ids = ['te_a', 'te_b', 'te_c', 'te_d', 'te_e']
  await insert(one, ...ids.map((id) => rowOf(id, { startAt: earlier })))
  expect(await claim(other, 1, SOON_MS + 900)).toEqual(['te_3'])
  expect(await claim(one, 1, SOON_MS + 1_000)).toEqual(['te_a'])
  expect(await claim(other, 1, SOON_MS + 1_001)).toEqual(['te_b'])
  expect(await claim(other, 1, SOON_MS + 1_002)).toEqual(['te_c'])
  expect(await claim(one, 3, SOON_MS + 1_003)).toEqual(['te_d', 'te_e', 'te_4'])
  expect(await claim(other, 1, SOON_MS + 1_004)).toEqual(['te_5'])
})

test('where nothing is left behind, what was passed by is taken as rows without a priority are', async () => {
  const schema = newSchema()
  const [one, other] = [open({ schema }), open({ schema })]
  await insert(one, ...eight)
  expect(await claim(one, 1, SOON_MS)).toEqual(['te_1'])
  expect(await claim(other, 7, SOON_MS)).toHaveLength(7)
  await insert(one, between)
  expect(await claim(one, 1, SOON_MS)).toEqual(['te_between'])
  // None was written: claims name them.
  expect(new Set(await writtenStatuses(schema))).toEqual(new Set(['ready']))
})

test('once nothing has a priority any more, rows are taken as such soon again', async () => {
  const schema = newSchema()
  const storage = open({ schema })
  await insert(storage, rowOf('te_0', { priority: 1 }), ...six)
  expect(await claim(storage, 1)).toEqual(['te_0'])
  for (const [index, { executionId }] of six.entries()) {
    expect(await claim(storage, 1, (index + 1) * 400)).toEqual([executionId])
  }
  // Three were written, and claims name the rest.
  expect((await writtenStatuses(schema)).join(' ')).toBe('running running running ready ready ready ready')
})

test('a claim that is undone gives its rows back to the next', async () => {
  const storage = open()
  await insert(storage, ...six)
  const undone = storage.withTransaction(async (tx) => {
    await tx.claimTaskExecutions?.({
      taskIds: ['task'],
      excludedExecutionIds: [],
      limit: 4,
      now: AT,
      expiresAt: AT,
      leaseId: 'undone',
      executorId: 'executor',
    })
    throw new Error('changed my mind')
  })
  await expect(undone).rejects.toThrow('changed my mind')
  expect((await claim(storage, 6)).toSorted()).toEqual(six.map((row) => row.executionId))
})

test('where only a part could be claimed the call is not repeated: what it took is found by its lease', async () => {
  const pool = new Pool({ connectionString, options: POSTGRES_SESSION_OPTIONS })
  onTestFinished(() => pool.end())
  let claims = 0
  const storage = open({
    pool: failing(pool, (text) => /^select .*claim_plain/.test(text) && (claims += 1) === 3),
  })
  await insert(storage, ...six)
  expect(await claim(storage, 4)).toEqual(['te_1', 'te_2', 'te_3', 'te_4'])
  await insert(storage, rowOf('te_back', { startAt: earlier }))
  await expect(claim(storage, 4)).rejects.toThrow('Only a part of the due rows could be claimed')
  expect(await readyIds(storage)).toEqual(['te_back'])
  expect(claims).toBe(3)
})

/** The pool, with a conflict instead of the statements named. */
function failing(pool: Pool, fails: (text: string) => boolean): PostgresPool {
  const lend = async (): Promise<PostgresPoolClient> => {
    const client = await pool.connect()
    return {
      query: async (query: PostgresQuery) => {
        if (fails(query.text)) {
          throw Object.assign(new Error('could not serialize access'), { code: '40001' })
        }
        return await client.query(query)
      },
      on: client.on.bind(client),
      off: client.off.bind(client),
      release: (error) => client.release(error),
    }
  }
  return { connect: lend, on: pool.on.bind(pool), off: pool.off.bind(pool) }
}
