/** `ctx.transaction` on Postgres: exactly once, whatever happens between the function, the commit and whoever else has the row. */

import { Client, Pool } from 'pg'
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'

import { type DurableTaskHandle, DurableExecutor, type DurableTaskRunContext } from '../../src/index.ts'
import {
  createPostgresStorage,
  type PostgresStorage,
  type PostgresTransactionClient,
} from '../../src/storage/postgres/index.ts'
import { openWire, type Wire, type WireFault } from './faults/tcp-proxy.ts'
import { newSchema } from './places.ts'
import { ownServer } from './server.ts'
import { type PostgresServer } from '../../../../scripts/postgres/server.ts'

let server: PostgresServer
let schema: string

beforeAll(async () => {
  server = await ownServer({ tcp: true })
  await onServer('create table notes (text text primary key)')
}, 120_000)

beforeEach(async () => {
  schema = newSchema()
  await onServer('truncate notes')
})

async function onServer(text: string): Promise<Array<unknown>> {
  const client = new Client({ connectionString: server.connectionString })
  await client.connect()
  try {
    const { rows } = await client.query<Array<unknown>>({ text, rowMode: 'array' })
    return rows.map(([first]) => first)
  } finally {
    await client.end()
  }
}

const notes = async (): Promise<Array<unknown>> => await onServer('select text from notes order by text')

type Run = (ctx: DurableTaskRunContext) => Promise<unknown>
type Program = { storage: PostgresStorage; executor: DurableExecutor }

/** A program with connections of its own, as another process has them. */
async function program(
  run: Run,
  { pool, slots = 100 }: { pool?: Pool; slots?: number } = {},
): Promise<Program> {
  const source = pool === undefined ? { connectionString: server.connectionString } : { pool }
  const storage = createPostgresStorage({ ...source, schema, hints: false })
  const executor = new DurableExecutor(storage, {
    backgroundProcessIntraBatchSleepMs: 50,
    maxConcurrentTaskExecutions: slots,
    logger: { debug: () => {}, info: () => {}, error: () => {} },
  })
  executor.task({ id: 'flow', timeoutMs: 60_000, run })
  onTestFinished(async () => {
    await executor.shutdown({ graceMs: 0 })
    await storage.close()
  })
  await executor.start()
  return { storage, executor }
}

const write = async (tx: PostgresTransactionClient, text: string): Promise<unknown> =>
  await tx.query('insert into notes values ($1)', [text])

async function outputOf(handle: DurableTaskHandle<unknown>): Promise<unknown> {
  const end = await handle.waitAndGetTaskFinishedExecution({ pollingIntervalMs: 50 })
  return end.status === 'completed' ? end.output : end
}

/** A line to the server, and a pool whose clients come by it; `strike` is called in a transaction, which it is to strike. */
async function struck(): Promise<{
  pool: Pool
  wire: Wire
  strike: (tx: PostgresTransactionClient, fault: WireFault) => Promise<void>
}> {
  const wire = await openWire(server.port)
  const pool = new Pool({
    connectionString: server.connectionString.replace(`:${server.port}/`, `:${wire.port}/`),
    max: 4,
  })
  onTestFinished(async () => {
    await pool.end()
    await wire.close()
  })
  const ports = new Map<number, number>()
  pool.on('acquire', (client) => {
    const { processID, connection } = client as unknown as {
      processID: number
      connection: { stream: { localPort: number } }
    }
    ports.set(processID, connection.stream.localPort)
  })
  const strike = async (tx: PostgresTransactionClient, fault: WireFault): Promise<void> => {
    const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
    wire.strike(ports.get(rows[0]?.pid ?? 0) ?? 0, fault)
  }
  return { pool, wire, strike }
}

test.each([
  ['lost_reply', 1],
  ['lost_request', 2],
] as const)('a commit that is struck (%s) is done once', async (fault, expected) => {
  const { pool, wire, strike } = await struck()
  let calls = 0
  const { executor } = await program(
    async (ctx) =>
      await ctx.transaction('write', async (tx: PostgresTransactionClient) => {
        calls += 1
        await write(tx, 'once')
        if (calls === 1) {
          await strike(tx, fault)
        }
        return calls
      }),
    { pool },
  )
  const handle = await executor.enqueueTask({ id: 'flow' }, undefined)
  expect(await outputOf(handle)).toBe(expected)
  expect(wire.struck()).toEqual([fault])
  expect(calls).toBe(expected)
  expect(await notes()).toEqual(['once'])
})

test('a connection that is lost inside the function is no failure of it', async () => {
  let calls = 0
  const { executor } = await program(
    async (ctx) =>
      await ctx.transaction('write', async (tx: PostgresTransactionClient) => {
        calls += 1
        await write(tx, `call ${calls}`)
        if (calls <= 2) {
          const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
          await onServer(`select pg_terminate_backend(${rows[0]?.pid}, 5000)`)
        }
        await write(tx, `call ${calls} again`)
        return calls
      }),
  )
  const handle = await executor.enqueueTask({ id: 'flow' }, undefined)
  expect(await outputOf(handle)).toBe(3)
  expect(await notes()).toEqual(['call 3', 'call 3 again'])
  expect((await handle.getTaskExecution()).retryAttempts).toBe(0)
})

test('a run whose lease another process took writes nothing', async () => {
  const gate = Promise.withResolvers<void>()
  const began = Promise.withResolvers<void>()
  const flow =
    (name: string): Run =>
    async (ctx) =>
      await ctx.transaction('write', async (tx: PostgresTransactionClient) => {
        await write(tx, name)
        if (name === 'first') {
          began.resolve()
          await gate.promise
        }
        return name
      })
  // With one slot it does not take the row again itself.
  const first = await program(flow('first'), { slots: 1 })
  const handle = await first.executor.enqueueTask({ id: 'flow' }, undefined)
  await began.promise
  // As another process does that finds the lease lapsed.
  await first.storage.withTransaction(
    async (tx) =>
      await tx.updateTaskExecutions(
        { type: 'by_execution_ids', executionIds: [handle.getTaskExecutionId()] },
        { status: 'ready', unsetExpiresAt: true, updatedAt: new Date() },
      ),
  )
  const second = await program(flow('second'))
  const other = await second.executor.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId())
  expect(await outputOf(other)).toBe('second')
  gate.resolve()
  await expect.poll(() => first.executor.getRunningTaskExecutionIds().size).toBe(0)
  expect(await notes()).toEqual(['second'])
})

test('a cancel undoes what a transaction wrote so far, at once', async () => {
  const began = Promise.withResolvers<void>()
  const { executor } = await program(
    async (ctx) =>
      await ctx.transaction('write', async (tx: PostgresTransactionClient) => {
        await write(tx, 'lost')
        began.resolve()
        await new Promise<never>(() => {})
      }),
  )
  const handle = await executor.enqueueTask({ id: 'flow' }, undefined)
  await began.promise
  expect(await handle.cancel()).toBe(true)
  // It would wait for ever for a transaction that still holds the key.
  await onServer(`insert into notes values ('lost')`)
  expect((await handle.getTaskExecution()).status).toBe('cancelled')
})

test('one connection is enough, and is given back by functions that fail or never end', async () => {
  const pool = new Pool({ connectionString: server.connectionString, max: 1 })
  onTestFinished(async () => {
    await pool.end()
  })
  const { executor } = await program(
    async (ctx) =>
      await Promise.all([
        ctx.transaction('kept', async (tx: PostgresTransactionClient) => {
          await write(tx, ctx.executionId)
          return 1
        }),
        ctx.step('beside', () => 2),
        ctx
          .transaction('fails', async (tx: PostgresTransactionClient) => {
            await write(tx, 'lost')
            throw new Error('on purpose')
          })
          .catch(() => 3),
        ctx
          .transaction(
            'hangs',
            async (tx: PostgresTransactionClient) => {
              await write(tx, 'lost')
              await new Promise<never>(() => {})
            },
            { timeoutMs: 50 },
          )
          .catch(() => 4),
      ]),
    { pool },
  )
  const handles = await executor.enqueueTasks<undefined, unknown>({ id: 'flow' }, [undefined, undefined])
  for (const handle of handles) {
    expect(await outputOf(handle)).toEqual([1, 2, 3, 4])
  }
  expect(await notes()).toEqual(handles.map((handle) => handle.getTaskExecutionId()).toSorted())
})

test('two hundred executions at once, of two programs, each write once', async () => {
  const flow: Run = async (ctx) => {
    const mine = await ctx.transaction('first', async (tx: PostgresTransactionClient) => {
      await write(tx, `${ctx.executionId} first`)
      return 1
    })
    return await ctx.transaction('second', async (tx: PostgresTransactionClient) => {
      await write(tx, `${ctx.executionId} second`)
      return mine + 1
    })
  }
  const [first] = [await program(flow), await program(flow)]
  const handles = await first.executor.enqueueTasks<undefined, unknown>(
    { id: 'flow' },
    Array.from({ length: 200 }, () => undefined),
  )
  for (const handle of handles) {
    expect(await outputOf(handle)).toBe(2)
  }
  expect(await notes()).toHaveLength(400)
})
