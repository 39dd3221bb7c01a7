/** `ctx.transaction` behind a transaction-mode pooler: all of it on one connection of the server. */

import { Client } from 'pg'
import { expect, onTestFinished, test } from 'vitest'

import { DurableExecutor } from '../../src/index.ts'
import { createPostgresStorage, type PostgresTransactionClient } from '../../src/storage/postgres/index.ts'
import { newSchema } from '../postgres/places.ts'
import { pooledDatabase } from './places.ts'

test('behind a pooler what code writes in transactions is there once, and nothing of what failed', async () => {
  const { direct, pooled } = await pooledDatabase()
  const client = new Client({ connectionString: direct })
  await client.connect()
  onTestFinished(() => client.end())
  await client.query('create table notes (text text primary key)')
  const storage = createPostgresStorage({ connectionString: pooled, schema: newSchema(), hints: false })
  const executor = new DurableExecutor(storage, {
    backgroundProcessIntraBatchSleepMs: 50,
    logger: { debug: () => {}, info: () => {}, error: () => {} },
  })
  onTestFinished(async () => {
    await executor.shutdown()
    await storage.close()
  })
  const task = executor.task({
    id: 'flow',
    timeoutMs: 60_000,
    run: async (ctx, input: number) =>
      await ctx.transaction('write', async (tx: PostgresTransactionClient) => {
        const before = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
        await tx.query('insert into notes values ($1)', [String(input)])
        const after = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
        if (input % 3 === 0) {
          throw new Error('unlucky')
        }
        return before.rows[0]?.pid === after.rows[0]?.pid
      }),
  })
  await executor.start()
  const inputs = Array.from({ length: 60 }, (_, index) => index)
  const handles = await executor.enqueueTasks(task, inputs)
  for (const [input, handle] of handles.entries()) {
    const end = await handle.waitAndGetTaskFinishedExecution({ pollingIntervalMs: 50 })
    expect(end.status === 'completed' ? end.output : 'error' in end && end.error.message).toBe(
      input % 3 === 0 ? 'unlucky' : true,
    )
  }
  const { rows } = await client.query<{ count: number }>('select count(*)::int as count from notes')
  expect(rows).toEqual([{ count: 40 }])
})
