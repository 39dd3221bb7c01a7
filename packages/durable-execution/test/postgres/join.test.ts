/** Enqueueing in a transaction of the user's own on Postgres. */

import { Client, Pool } from 'pg'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'

import { DurableExecutor, type DurableTask } from '../../src/index.ts'
import {
  createPostgresStorage,
  type PostgresStorage,
  type PostgresStorageOptions,
  type PostgresTransaction,
} from '../../src/storage/postgres/index.ts'
import { newSchema } from './places.ts'
import { rowOf } from './rows.ts'
import { freshDatabase } from './server.ts'

let connectionString: string
let schema: string

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 60_000)

beforeEach(() => {
  schema = newSchema()
})

type Program = { storage: PostgresStorage; executor: DurableExecutor; double: DurableTask<number, number> }

/** A program with a storage of its own, as another process has one. */
function program(options: Partial<PostgresStorageOptions> = {}): Program {
  const storage = createPostgresStorage({ connectionString, schema, ...options } as PostgresStorageOptions)
  const executor = new DurableExecutor(storage, {
    // Only a hint may wake it in time; the poll alone would take an hour.
    backgroundProcessIntraBatchSleepMs: 3_600_000,
    logger: { debug: () => {}, info: () => {}, error: () => {} },
  })
  const double = executor.task({ id: 'double', timeoutMs: 10_000, run: (_ctx, input: number) => input * 2 })
  onTestFinished(async () => {
    await executor.shutdown()
    await storage.close()
  })
  return { storage, executor, double }
}

async function openClient(database: string = connectionString): Promise<Client> {
  const client = new Client({ connectionString: database })
  client.on('error', () => {})
  await client.connect()
  onTestFinished(() => client.end().catch(() => {}))
  return client
}

/** A query that counts, on a client, without whatever else the client tells. */
function counting(client: Client): PostgresTransaction & { texts: Array<string> } {
  const texts: Array<string> = []
  return {
    texts,
    query: async (text, values) => {
      texts.push(text)
      return await client.query(text, values)
    },
  }
}

test('what is enqueued in a transaction that commits is run by the executor that enqueued it', async () => {
  const { executor, double } = program()
  await executor.start()
  const client = await openClient()
  await client.query('begin')
  const handle = await executor.enqueueTask(double, 21, { transaction: client })
  await client.query('commit')
  const execution = await handle.waitAndGetTaskFinishedExecution({ pollingIntervalMs: 3_600_000 })
  expect(execution).toMatchObject({ status: 'completed', output: 42 })
})

test('another program is woken by the commit', async () => {
  const [web, worker] = [program(), program()]
  await worker.executor.start()
  const client = await openClient()
  await client.query('begin')
  const handle = await web.executor.enqueueTask(web.double, 21, { transaction: client })
  await client.query('commit')
  const execution = await handle.waitAndGetTaskFinishedExecution({ pollingIntervalMs: 3_600_000 })
  expect(execution).toMatchObject({ status: 'completed', output: 42 })
})

test('nobody sees it before the commit', async () => {
  const { executor, double } = program()
  const client = await openClient()
  await client.query('begin')
  const handle = await executor.enqueueTask(double, 1, { transaction: client })
  await expect(handle.getTaskExecution()).rejects.toThrow('not found')
  await client.query('commit')
  expect((await handle.getTaskExecution()).status).toBe('ready')
})

test('what is enqueued in a transaction that rolls back was never there', async () => {
  const { executor, double } = program()
  const client = await openClient()
  await client.query('begin')
  const handle = await executor.enqueueTask(double, 1, { transaction: client })
  await client.query('rollback')
  await expect(handle.getTaskExecution()).rejects.toThrow(
    `Execution ${handle.getTaskExecutionId()} not found`,
  )
})

test('what is enqueued on a connection that is lost before the commit was never there', async () => {
  const { executor, double } = program()
  const [client, other] = [await openClient(), await openClient()]
  await client.query('begin')
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  const handle = await executor.enqueueTask(double, 1, { transaction: client })
  await other.query('select pg_terminate_backend($1, 5000)', [rows[0]?.pid])
  await expect(client.query('commit')).rejects.toThrow()
  await expect(handle.getTaskExecution()).rejects.toThrow('not found')
})

test('a serializable transaction may enqueue while an executor works', async () => {
  const { executor, double } = program()
  await executor.start()
  const client = await openClient()
  await client.query('begin isolation level serializable')
  await client.query(`select count(*) from pg_class`)
  const handle = await executor.enqueueTask(double, 21, { transaction: client })
  await (await executor.enqueueTask(double, 1)).waitAndGetTaskFinishedExecution()
  await client.query('commit')
  const execution = await handle.waitAndGetTaskFinishedExecution({ pollingIntervalMs: 3_600_000 })
  expect(execution).toMatchObject({ status: 'completed', output: 42 })
})

test('of a hundred transactions at once those that commit are run, and no others', async () => {
  const { executor, double } = program()
  await executor.start()
  const pool = new Pool({ connectionString, max: 20 })
  onTestFinished(() => pool.end())
  const handles = await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      const client = await pool.connect()
      await client.query('begin')
      const handle = await executor.enqueueTask(double, index, { transaction: client })
      await client.query(index % 2 === 0 ? 'commit' : 'rollback')
      client.release()
      return handle
    }),
  )
  const outcomes = await Promise.allSettled(
    handles.map((handle) => handle.waitAndGetTaskFinishedExecution({ pollingIntervalMs: 3_600_000 })),
  )
  const outputs = outcomes.map((outcome) =>
    outcome.status === 'fulfilled' && outcome.value.status === 'completed' ? outcome.value.output : 'none',
  )
  expect(outputs).toEqual(outputs.map((_, index) => (index % 2 === 0 ? index * 2 : 'none')))
})

test('calls at once in one transaction take turns on its connection', async () => {
  const { executor, double, storage } = program()
  await storage.migrate()
  let isBusy = false
  const client = await openClient()
  const transaction: PostgresTransaction = {
    query: async (text, values) => {
      expect(isBusy).toBe(false)
      isBusy = true
      const answer = await client.query(text, values)
      isBusy = false
      return answer
    },
  }
  await client.query('begin')
  const handles = await Promise.all(
    Array.from({ length: 20 }, (_, index) => executor.enqueueTask(double, index, { transaction })),
  )
  await client.query('commit')
  const executions = await Promise.all(handles.map((handle) => handle.getTaskExecution()))
  expect(executions.map(({ status }) => status)).toEqual(Array(20).fill('ready'))
})

test('all operations work in it, and read rows as they were written', async () => {
  const { storage } = program()
  const client = await openClient()
  await client.query('begin')
  const tx = await storage.joinTransaction(client)
  const row = rowOf('te_1')
  await tx.insertTaskExecutions([row, rowOf('te_2', { runInput: '\u001F' })])
  const [claimed] =
    (await tx.claimTaskExecutions?.({
      taskIds: ['task'],
      excludedExecutionIds: ['te_2'],
      limit: 5,
      now: row.startAt,
      expiresAt: row.startAt,
      leaseId: 'l',
      executorId: 'e',
    })) ?? []
  const read = await tx.getTaskExecutions({ type: 'by_execution_ids', executionIds: ['te_1', 'te_2'] })
  await client.query('commit')
  expect(claimed).toMatchObject({ executionId: 'te_1', status: 'running', startedAt: row.startAt })
  expect(read).toEqual([claimed, rowOf('te_2', { runInput: '\u001F' })])
})

describe('under a key', () => {
  const key = { idempotencyKey: 'k' }
  const used = 'Idempotency key k of task double was used with another input'

  test('a transaction finds what is there, is refused another input, and can be committed after', async () => {
    const { executor, double } = program()
    const there = await executor.enqueueTask(double, 1, key)
    const client = await openClient()
    await client.query('begin')
    const same = await executor.enqueueTask(double, 1, { ...key, transaction: client })
    await expect(executor.enqueueTask(double, 2, { ...key, transaction: client })).rejects.toThrow(used)
    const other = await executor.enqueueTask(double, 3, { transaction: client })
    await client.query('commit')
    expect(same.getTaskExecutionId()).toBe(there.getTaskExecutionId())
    expect((await other.getTaskExecution()).status).toBe('ready')
  })

  test('one that is enqueued again in its transaction is the same, at once or later', async () => {
    const { executor, double } = program()
    await executor.start()
    const client = await openClient()
    await client.query('begin')
    const transaction = client
    const handles = await Promise.all(
      [1, 2, 3].map(() => executor.enqueueTask(double, 1, { ...key, transaction })),
    )
    handles.push(await executor.enqueueTask(double, 1, { ...key, transaction }))
    const many = [1, 2, 1].map((input) => ({ input, options: { idempotencyKey: `many ${input}` } }))
    const together = await executor.enqueueTasks(double, [...many, 4], { transaction })
    await client.query('commit')
    expect(new Set(handles.map((handle) => handle.getTaskExecutionId())).size).toBe(1)
    expect(new Set(together.map((handle) => handle.getTaskExecutionId())).size).toBe(3)
    for (const handle of [...handles, ...together]) {
      const execution = await handle.waitAndGetTaskFinishedExecution({ pollingIntervalMs: 3_600_000 })
      expect(execution.status).toBe('completed')
    }
  })

  test.each(['commit', 'rollback'])(
    'of two transactions at once the second waits for the %s of the first, and goes on',
    async (end) => {
      const { executor, double, storage } = program()
      await storage.migrate()
      const [first, second] = [await openClient(), await openClient()]
      await first.query('begin')
      await second.query('begin')
      const one = await executor.enqueueTask(double, 1, { ...key, transaction: first })
      const waiting = executor.enqueueTask(double, 1, { ...key, transaction: second })
      const beside = executor.enqueueTask(double, 9, { transaction: second })
      await first.query(end)
      const other = await waiting
      await beside
      await second.query('commit')
      expect(other.getTaskExecutionId()).toBe(one.getTaskExecutionId())
      expect((await other.getTaskExecution()).status).toBe('ready')
      expect((await (await beside).getTaskExecution()).status).toBe('ready')
    },
  )

  test('another input that commits first is refused, and the transaction is as it was', async () => {
    const { executor, double, storage } = program()
    await storage.migrate()
    const [first, second] = [await openClient(), await openClient()]
    await first.query('begin')
    await second.query('begin')
    await executor.enqueueTask(double, 1, { ...key, transaction: first })
    const refused = expect(executor.enqueueTask(double, 2, { ...key, transaction: second })).rejects.toThrow(
      used,
    )
    await first.query('commit')
    await refused
    expect((await second.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    expect((await second.query('commit')).command).toBe('COMMIT')
  })

  test('one that is enqueued meanwhile without a transaction waits for that transaction too', async () => {
    const { executor, double } = program()
    const client = await openClient()
    await client.query('begin')
    const inside = await executor.enqueueTask(double, 1, { ...key, transaction: client })
    const outside = executor.enqueueTask(double, 1, key)
    const refused = expect(executor.enqueueTasks(double, [2], key)).rejects.toThrow(used)
    await client.query('commit')
    expect((await outside).getTaskExecutionId()).toBe(inside.getTaskExecutionId())
    await refused
  })

  test('a query that leads to no transaction is refused where the key is new', async () => {
    const { executor, double } = program()
    const transaction = counting(await openClient())
    await expect(executor.enqueueTask(double, 1, { ...key, transaction })).rejects.toThrow(
      'Invalid transaction: no transaction is open on it',
    )
    const handle = await executor.enqueueTask(double, 1, key)
    expect((await handle.getTaskExecution()).status).toBe('ready')
  })
})

describe('without hints', () => {
  test('a key costs a look, and is inserted if it is missing', async () => {
    const { executor, double } = program({ hints: false })
    const client = await openClient()
    const transaction = counting(client)
    await client.query('begin')
    const options = { idempotencyKey: 'k', transaction }
    const handle = await executor.enqueueTask(double, 1, options)
    expect(transaction.texts).toEqual([
      expect.stringMatching(/^select /),
      expect.stringMatching(
        /^insert into .* on conflict \(execution_id\) do nothing returning execution_id$/,
      ),
    ])
    const same = await executor.enqueueTask(double, 1, options)
    await client.query('commit')
    expect(same.getTaskExecutionId()).toBe(handle.getTaskExecutionId())
    expect((await handle.getTaskExecution()).status).toBe('ready')
  })

  test('a single statement is sent', async () => {
    const { executor, double } = program({ hints: false })
    const client = await openClient()
    const transaction = counting(client)
    await client.query('begin')
    const handle = await executor.enqueueTask(double, 1, { transaction })
    await client.query('commit')
    expect(transaction.texts).toEqual([expect.stringMatching(/^insert into /)])
    expect((await handle.getTaskExecution()).status).toBe('ready')
  })
})

describe('what is wrong is refused by its name', () => {
  test('a client without a transaction', async () => {
    const { executor, double } = program()
    const client = await openClient()
    const refused = executor.enqueueTask(double, 1, { transaction: client })
    await expect(refused).rejects.toThrow('Invalid transaction: no transaction is open on it')
  })

  test('a query that leads to no transaction inserts nothing', async () => {
    const { executor, double, storage } = program()
    const refused = executor.enqueueTask(double, 1, { transaction: counting(await openClient()) })
    await expect(refused).rejects.toThrow('Invalid transaction: no transaction is open on it')
    const ids = await storage.withTransaction((tx) =>
      Promise.resolve(tx.getTaskExecutionIds({ type: 'by_statuses', statuses: ['ready'] })),
    )
    expect(ids).toEqual([])
  })

  test('a pool', async () => {
    const { executor, double } = program()
    const pool = new Pool({ connectionString })
    onTestFinished(() => pool.end())
    await expect(executor.enqueueTask(double, 1, { transaction: pool })).rejects.toThrow(
      'Invalid transaction: it is a pool',
    )
  })

  test.each([{}, { query: 'select 1' }])('%o', async (transaction) => {
    const { executor, double } = program()
    await expect(executor.enqueueTask(double, 1, { transaction })).rejects.toThrow(
      'Invalid transaction: it must be a client of pg on which a transaction was begun',
    )
  })

  test('a query that resolves with something else than rows', async () => {
    const { executor, double } = program()
    const transaction = { query: () => Promise.resolve([]) }
    await expect(executor.enqueueTask(double, 1, { transaction })).rejects.toThrow(
      'its `query` must resolve with an object whose `rows` is a list',
    )
  })

  test('another database', async () => {
    const { executor, double } = program()
    const client = await openClient(await freshDatabase())
    await client.query('begin')
    await expect(executor.enqueueTask(double, 1, { transaction: client })).rejects.toThrow(
      `its database has no tables of the storage, whose schema is ${schema}`,
    )
  })

  test('a closed storage', async () => {
    const { executor, double, storage } = program()
    const client = await openClient()
    await client.query('begin')
    await storage.migrate()
    await storage.close()
    await expect(executor.enqueueTask(double, 1, { transaction: client })).rejects.toThrow('is closed')
  })
})

test('an error of the client is passed on as it is', async () => {
  const { executor, double } = program()
  const client = await openClient()
  await client.query('begin')
  const own = await client.query('select 1 / 0').catch((error: unknown) => error)
  const refused = await executor
    .enqueueTask(double, 1, { transaction: client })
    .catch((error: unknown) => error)
  expect([own, refused]).toEqual([
    expect.objectContaining({ code: '22012' }),
    expect.objectContaining({ code: '25P02' }),
  ])
})
