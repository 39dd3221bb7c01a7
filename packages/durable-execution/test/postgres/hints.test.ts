/** Hints between processes: sent, heard, lost with their connection, and heard again. */

import { Client, Pool } from 'pg'
import { beforeAll, expect, onTestFinished, test } from 'vitest'

import { type DurableStorageChangeHint } from '../../src/storage/contract.ts'
import { fromPayload, mergeHints, toPayload } from '../../src/storage/postgres/hints.ts'
import {
  createPostgresStorage,
  type PostgresStorage,
  type PostgresStorageOptions,
} from '../../src/storage/postgres/index.ts'
import { createListening } from '../../src/storage/postgres/listening.ts'
import { createNotify } from '../../src/storage/postgres/notifying.ts'
import { newSchema } from './places.ts'
import { freshDatabase } from './server.ts'

let connectionString: string

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 60_000)

function open(schema: string, options: Partial<PostgresStorageOptions> = {}): PostgresStorage {
  const source = options.pool === undefined ? { connectionString } : {}
  const storage = createPostgresStorage({ schema, ...source, ...options } as PostgresStorageOptions)
  onTestFinished(() => storage.close())
  return storage
}

/** Listens, and gives the hints one after the other. */
async function listen(storage: PostgresStorage): Promise<{
  next: () => Promise<DurableStorageChangeHint>
  heard: Array<DurableStorageChangeHint>
  stop: () => Promise<void>
}> {
  const heard: Array<DurableStorageChangeHint> = []
  let read = 0
  let wake = (): void => {}
  const stop = await storage.onChange?.((hint) => {
    heard.push(hint)
    wake()
  })
  const next = async (): Promise<DurableStorageChangeHint> => {
    while (heard.length === read) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    read += 1
    return heard[read - 1] ?? {}
  }
  return { next, heard, stop: stop ?? (() => Promise.resolve()) }
}

test('a hint reaches the listeners of others, and not those of its sender', async () => {
  const schema = newSchema()
  const [one, other] = [open(schema), open(schema)]
  const [heardByOne, heardByOther] = [await listen(one), await listen(other)]
  await one.notifyChange?.({ executionIds: ['te_1'] })
  expect(await heardByOther.next()).toEqual({ executionIds: ['te_1'] })
  await other.notifyChange?.({ ready: true })
  expect(await heardByOne.next()).toEqual({ ready: true })
  expect([heardByOne.heard, heardByOther.heard]).toEqual([[{ ready: true }], [{ executionIds: ['te_1'] }]])
})

test('hints stay within their schema', async () => {
  const [one, other] = [open(newSchema()), open(newSchema())]
  const heardByOther = await listen(other)
  const third = open('durable_execution')
  await one.notifyChange?.({ ready: true })
  await third.notifyChange?.({ ready: true })
  await other.getCurrentTime()
  expect(heardByOther.heard).toEqual([])
})

test('a pool of the user lends the connection that listens', async () => {
  const schema = newSchema()
  const pool = new Pool({ connectionString })
  onTestFinished(() => pool.end())
  const heard = await listen(open(schema, { pool }))
  await open(schema).notifyChange?.({ ready: true })
  expect(await heard.next()).toEqual({ ready: true })
  await heard.stop()
  expect(pool.totalCount).toBe(0)
})

test('a listener whose connection was lost is told that anything may have changed, and hears again', async () => {
  const schema = newSchema()
  const heard = await listen(open(schema))
  const client = new Client({ connectionString })
  await client.connect()
  onTestFinished(() => client.end())
  await client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where (query like '%${schema}%' or query like '%pg_notify%')
      and datname = current_database() and pid <> pg_backend_pid()`,
  )
  expect(await heard.next()).toEqual({ ready: true })
  await open(schema).notifyChange?.({ executionIds: ['te_2'] })
  expect(await heard.next()).toEqual({ executionIds: ['te_2'] })
})

test('a connection that falls silent is replaced', async () => {
  let opened = 0
  const { promise: isReplaced, resolve: replaced } = Promise.withResolvers<void>()
  const listening = createListening({
    channel: 'silent',
    sender: 'me',
    pingEveryMs: 1,
    pongMs: 5,
    open: () => {
      opened += 1
      if (opened === 2) {
        replaced()
      }
      // It answers, and passes no message on.
      return Promise.resolve({
        query: () => Promise.resolve({ command: '', rows: [] }),
        on: () => {},
        off: () => {},
        end: () => Promise.resolve(),
      })
    },
  })
  await listening.add(() => {})
  await isReplaced
  await listening.stop()
})

test('a listener that could not connect is there once it can', async () => {
  const schema = newSchema()
  let tries = 0
  const { promise: isHeard, resolve: hear } = Promise.withResolvers<DurableStorageChangeHint>()
  const listening = createListening({
    channel: 'late',
    sender: schema,
    open: async () => {
      tries += 1
      if (tries < 3) {
        throw new Error('nobody there')
      }
      const client = new Client({ connectionString })
      await client.connect()
      return client
    },
  })
  await listening.add(hear)
  expect(await isHeard).toEqual({ ready: true })
  await listening.stop()
})

test('without hints the storage offers none', () => {
  const storage = open(newSchema(), { hints: false })
  expect(storage).not.toHaveProperty('onChange')
  expect(storage).not.toHaveProperty('notifyChange')
})

test('hints that come while one is on its way go together', async () => {
  const sent: Array<DurableStorageChangeHint> = []
  const { promise: isFirstSent, resolve: sendFirst } = Promise.withResolvers<void>()
  const notify = createNotify(async (hint) => {
    sent.push(hint)
    await isFirstSent
  })
  const first = notify({ executionIds: ['te_1'] })
  await Promise.resolve()
  const rest = [
    notify({ ready: true }),
    notify({ executionIds: ['te_2', 'te_3'] }),
    notify({ executionIds: ['te_2'] }),
  ]
  sendFirst()
  await Promise.all([first, ...rest])
  expect(sent).toEqual([{ executionIds: ['te_1'] }, { ready: true, executionIds: ['te_2', 'te_3'] }])
})

test('a hint that could not be sent rejects, and the next one is sent', async () => {
  let tries = 0
  const notify = createNotify(() => {
    tries += 1
    return tries === 1 ? Promise.reject(new Error('lost')) : Promise.resolve()
  })
  await expect(notify({ ready: true })).rejects.toThrow('lost')
  await notify({ ready: true })
})

test('a message comes back as it was sent, and foreign ones are none', () => {
  const message = { from: 'me', hint: { ready: true, executionIds: ['te_1', 'te_2'] } }
  expect(fromPayload(toPayload(message))).toEqual(message)
  expect(fromPayload(toPayload({ from: 'me', hint: 'ping' }))).toEqual({ from: 'me', hint: 'ping' })
  expect(['', 'x', '[]', 'null', '{"from":1}'].map(fromPayload)).toEqual(Array(5).fill(undefined))
})

test('ids that do not fit into a message are left out, and anything may have changed then', () => {
  const executionIds = Array.from({ length: 1_000 }, (_, index) => `te_${index}`)
  expect(fromPayload(toPayload({ from: 'me', hint: { executionIds } }))?.hint).toEqual({ ready: true })
})

test('two hints become one that says what both say', () => {
  expect(mergeHints({ executionIds: ['a'] }, { ready: true, executionIds: ['a', 'b'] })).toEqual({
    ready: true,
    executionIds: ['a', 'b'],
  })
})
