/** A transaction that code of the user's shares with the Postgres storage. */

import { setTimeout as pause } from 'node:timers/promises'

import { Client, Pool } from 'pg'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'

import {
  DurableExecutionError,
  DurableExecutionTimedOutError,
  type DurableStorageTx,
} from '../../src/index.ts'
import {
  createPostgresStorage,
  POSTGRES_SESSION_OPTIONS,
  type PostgresStorage,
  type PostgresStorageOptions,
  type PostgresTransactionClient,
} from '../../src/storage/postgres/index.ts'
import { assert } from '../../src/base/assert.ts'
import { newSchema } from './places.ts'
import { insert, readyIds, rowOf } from './rows.ts'
import { freshDatabase } from './server.ts'

let connectionString: string

beforeAll(async () => {
  connectionString = await freshDatabase()
  await onServer('create table notes (text text primary key)')
  await onServer('create table replies (note text references notes (text) deferrable initially deferred)')
}, 60_000)

beforeEach(async () => {
  await onServer('truncate notes, replies')
})

/** Runs a statement on a connection of its own; gives the first column. */
async function onServer(text: string): Promise<Array<unknown>> {
  const client = new Client({ connectionString })
  await client.connect()
  try {
    const { rows } = await client.query<Array<unknown>>({ text, rowMode: 'array' })
    return rows.map(([first]) => first)
  } finally {
    await client.end()
  }
}

const notes = async (): Promise<Array<unknown>> => await onServer('select text from notes order by text')

function open(options: Partial<PostgresStorageOptions> = {}): PostgresStorage {
  const given = { connectionString, schema: newSchema(), hints: false, ...options }
  const storage = createPostgresStorage(given as PostgresStorageOptions)
  onTestFinished(() => storage.close())
  return storage
}

function poolOf(options: string): PostgresStorage {
  const pool = new Pool({ connectionString, options, max: 4 })
  onTestFinished(() => pool.end())
  return open({ connectionString: undefined, pool })
}

/** Shares a transaction in which nothing of ours is written. */
async function share<T>(
  storage: PostgresStorage,
  use: (tx: PostgresTransactionClient) => Promise<T>,
  keep: (tx: DurableStorageTx) => Promise<void> = async () => {},
): Promise<T> {
  assert(storage.shareTransaction !== undefined, 'the storage shares transactions')
  return await storage.shareTransaction(
    async (transaction) => await use(transaction as PostgresTransactionClient),
    keep,
  )
}

const write = async (tx: PostgresTransactionClient, text: string): Promise<unknown> =>
  await tx.query('insert into notes values ($1)', [text])

const trouble = new Error('trouble')

const KINDS: Array<[name: string, open: () => PostgresStorage]> = [
  ['a pool of its own', () => open()],
  ['a single connection', () => open({ maxConnections: 1 })],
  ['a pool of the user', () => poolOf('')],
  ['a pool of the user with the settings of the plans', () => poolOf(POSTGRES_SESSION_OPTIONS)],
]

describe.each(KINDS)('with %s', (_name, openKind) => {
  test('what is written in it is committed with what is ours, or undone with it', async () => {
    const storage = openKind()
    await share(
      storage,
      async (tx) => await write(tx, 'kept'),
      async (tx) => await tx.insertTaskExecutions([rowOf('te_1')]),
    )
    const refused = share(storage, async (tx) => {
      await write(tx, 'lost')
      throw trouble
    })
    await expect(refused).rejects.toBe(trouble)
    const late = share(
      storage,
      async (tx) => await write(tx, 'lost'),
      async (tx) => {
        await tx.insertTaskExecutions([rowOf('te_2')])
        throw trouble
      },
    )
    await expect(late).rejects.toBe(trouble)
    expect(await notes()).toEqual(['kept'])
    expect(await readyIds(storage)).toEqual(['te_1'])
  })

  test('the user’s statements are planned as anywhere else, and ours as ever', async () => {
    const storage = openKind()
    const settings = ['enable_seqscan', 'enable_sort', 'plan_cache_mode', 'durable_execution.shared']
    const inUse = await share(storage, async (tx) => {
      const found: Array<unknown> = []
      for (const setting of settings) {
        const { rows } = await tx.query<{ value: string }>('select current_setting($1) as value', [setting])
        found.push(rows[0]?.value)
      }
      return found
    })
    expect(inUse).toEqual(['on', 'on', 'auto', 'on'])
    await insert(storage, rowOf('te_1'))
    expect(await readyIds(storage)).toEqual(['te_1'])
  })
})

test('a statement is given and answered as by a client of pg', async () => {
  await share(open(), async (tx) => {
    const { query } = tx
    expect(await query('select $1::int + 1 as sum, now() as at', [1])).toMatchObject({
      rows: [{ sum: 2, at: expect.any(Date) as Date }],
      rowCount: 1,
      command: 'SELECT',
    })
    expect((await query({ text: 'select $1::int as a', values: [7] })).rows).toEqual([{ a: 7 }])
    const lists = { text: 'select $1::int, 2', rowMode: 'array' }
    expect((await query(lists, [1])).rows).toEqual([[1, 2]])
    expect((await query(`insert into notes values ('a'), ('b')`)).rowCount).toBe(2)
  })
  expect(await notes()).toEqual(['a', 'b'])
})

test('statements at once are sent one after the other, and those that nobody awaits belong to it', async () => {
  await share(open(), async (tx) => {
    void write(tx, 'first')
    await Promise.all(['second', 'third'].map(async (text) => await write(tx, text)))
    void write(tx, 'unawaited')
  })
  expect(await notes()).toEqual(['first', 'second', 'third', 'unawaited'])
})

test.each([null, 7, {}, { text: 1 }, { text: 'select 1', submit: () => {} }])(
  'a query that is %o is refused',
  async (query) => {
    const refused = share(open(), async (tx) => await tx.query(query as never))
    await expect(refused).rejects.toThrow('Invalid query of ctx.transaction: give a text')
    await expect(refused).rejects.toMatchObject({ isRetryable: false })
  },
)

test.each(['commit', 'rollback', 'begin', 'select 1; commit; select 2', 'end', 'abort'])(
  'a function may not send %s',
  async (text) => {
    const refused = share(open(), async (tx) => {
      await write(tx, 'lost')
      await tx.query(text)
    })
    await expect(refused).rejects.toThrow('ctx.transaction begins and ends its transaction itself: leave out')
    await expect(refused).rejects.toMatchObject({ isRetryable: false })
    expect(await notes()).toEqual([])
  },
)

test('a transaction that was ended all the same is told of, and what is ours is not written', async () => {
  const storage = open()
  const refused = share(
    storage,
    async (tx) => {
      await write(tx, 'escaped')
      // After a definition, which may have a body with such words, the text is not read on.
      await tx.query(`create function pg_temp.one() returns int language sql as 'select 1'; commit`)
    },
    async (tx) => await tx.insertTaskExecutions([rowOf('te_1')]),
  )
  await expect(refused).rejects.toThrow('The transaction was ended inside its function')
  expect(await readyIds(storage)).toEqual([])
})

test('after a statement that failed the function must fail too, or return to a savepoint', async () => {
  const storage = open()
  const swallowed = share(storage, async (tx) => {
    await write(tx, 'lost')
    await write(tx, 'lost').catch(() => {})
  })
  await expect(swallowed).rejects.toThrow(
    'A statement of the transaction failed, and its function went on: duplicate key',
  )
  await expect(swallowed).rejects.toBeInstanceOf(DurableExecutionError)
  const unawaited = share(storage, async (tx) => {
    await write(tx, 'lost')
    tx.query('select 1 / 0').catch(() => {})
  })
  await expect(unawaited).rejects.toThrow('went on: division by zero')
  await share(storage, async (tx) => {
    await write(tx, 'kept')
    await tx.query('savepoint part')
    await expect(write(tx, 'kept')).rejects.toThrow('duplicate key')
    await tx.query('rollback to part')
  })
  expect(await notes()).toEqual(['kept'])
})

test('the error of a statement is that of the driver', async () => {
  const refused = share(open(), async (tx) => await tx.query('select 1 / 0'))
  await expect(refused).rejects.toMatchObject({ code: '22012' })
  // What `pg` cannot send is no fault of the connection either.
  const unsendable = share(open(), async (tx) => await tx.query('select $1::text', [{ big: 1n }]))
  await expect(unsendable).rejects.toThrow(TypeError)
})

test('a constraint that is checked at the commit refuses the transaction, and says which', async () => {
  const refused = share(open(), async (tx) => {
    await write(tx, 'lost')
    await tx.query(`insert into replies values ('nobody')`)
  })
  await expect(refused).rejects.toThrow(/^The transaction cannot be committed: .*replies_note_fkey/)
  await expect(refused).rejects.toBeInstanceOf(DurableExecutionError)
  expect(await notes()).toEqual([])
})

test('the isolation may be raised', async () => {
  await share(open(), async (tx) => {
    await tx.query('set transaction isolation level serializable')
    await write(tx, 'kept')
  })
  expect(await notes()).toEqual(['kept'])
})

test('the client is of no use when the transaction has ended', async () => {
  const storage = open()
  const kept: Array<PostgresTransactionClient> = []
  await share(storage, async (tx) => {
    kept.push(tx)
    await Promise.resolve()
  })
  // As it is where the time of a step is over, while its function goes on.
  const gate = Promise.withResolvers<void>()
  const stopped = share(storage, async (tx) => {
    await write(tx, 'lost')
    kept.push(tx)
    void gate.promise.then(async () => await write(tx, 'late').catch(() => {}))
    throw trouble
  })
  await expect(stopped).rejects.toBe(trouble)
  gate.resolve()
  for (const tx of kept) {
    await expect(write(tx, 'late')).rejects.toThrow(
      'The transaction has ended. Use `tx` only inside its function',
    )
  }
  expect(await notes()).toEqual([])
})

test('a connection that is lost is no error of the function’s', async () => {
  const storage = open()
  for (const goesOn of [false, true]) {
    const lost = share(storage, async (tx) => {
      await write(tx, 'lost')
      const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
      await onServer(`select pg_terminate_backend(${rows[0]?.pid}, 5000)`)
      await write(tx, 'lost too').catch((error: unknown) => {
        if (!goesOn) {
          throw new Error('The function says this', { cause: error })
        }
      })
    })
    const error: unknown = await lost.catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Error)
    expect(error).not.toBeInstanceOf(DurableExecutionError)
    expect((error as Error).message).toMatch(/^The transaction was lost: /)
  }
  expect(await notes()).toEqual([])
  await share(storage, async (tx) => await write(tx, 'kept'))
  expect(await notes()).toEqual(['kept'])
})

test('of two that wait for each other one is undone, and that is no error of its function’s', async () => {
  const storage = open()
  await share(storage, async (tx) => {
    await write(tx, 'a')
    await write(tx, 'b')
  })
  const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const update = async (tx: PostgresTransactionClient, text: string): Promise<unknown> =>
    await tx.query('update notes set text = text where text = $1', [text])
  const ended = await Promise.allSettled(
    [0, 1].map(
      async (index) =>
        await share(storage, async (tx) => {
          await update(tx, 'ab'.charAt(index))
          both[index]?.resolve()
          await both[1 - index]?.promise
          await update(tx, 'ab'.charAt(1 - index))
        }),
    ),
  )
  const rejected = ended.filter((one) => one.status === 'rejected')
  expect(rejected).toHaveLength(1)
  expect(rejected[0]?.reason).toMatchObject({ message: 'The transaction was lost: deadlock detected' })
  expect(rejected[0]?.reason).not.toBeInstanceOf(DurableExecutionError)
})

test('a transaction that is left idle is given up by the server, which is an error of the function’s', async () => {
  const storage = open({ statementTimeoutMs: 200 })
  const idle = share(storage, async (tx) => {
    await write(tx, 'lost')
    await pause(600)
    await write(tx, 'lost too')
  })
  await expect(idle).rejects.toThrow(
    /^The function of the transaction sent nothing for \d+ ms, and Postgres gave it up after 200/,
  )
  await expect(idle).rejects.toBeInstanceOf(DurableExecutionTimedOutError)
  const silent = share(storage, async (tx) => {
    await write(tx, 'lost')
    await pause(600)
  })
  await expect(silent).rejects.toBeInstanceOf(DurableExecutionTimedOutError)
  expect(await notes()).toEqual([])
})

test('a statement that takes too long is an error of the function’s', async () => {
  const storage = open({ statementTimeoutMs: 200 })
  await expect(share(storage, async (tx) => await tx.query('select pg_sleep(5)'))).rejects.toMatchObject({
    code: '57014',
  })
})

test('functions that wait leave half of the connections to others', async () => {
  const storage = open({ maxConnections: 4 })
  const gate = Promise.withResolvers<void>()
  let inUse = 0
  let most = 0
  const shared = Array.from({ length: 8 }, async (_, index) => {
    await share(storage, async (tx) => {
      inUse += 1
      most = Math.max(most, inUse)
      await write(tx, `note ${index}`)
      await gate.promise
      inUse -= 1
    })
  })
  await expect.poll(() => inUse).toBe(2)
  await Promise.all(
    Array.from({ length: 8 }, async (_, index) => await insert(storage, rowOf(`te_${index}`))),
  )
  expect(await readyIds(storage)).toHaveLength(8)
  gate.resolve()
  await Promise.all(shared)
  expect(most).toBe(2)
  expect(await notes()).toHaveLength(8)
})
