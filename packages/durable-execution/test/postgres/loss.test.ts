/** What becomes of transactions when connections are lost, the server restarts, or there is none to be had. */

import { connect, createServer, type Server, type Socket } from 'node:net'

import { Client, Pool } from 'pg'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'

import { type PostgresServer } from '../../../../scripts/postgres/server.ts'
import { createPostgresStorage, type PostgresStorage } from '../../src/storage/postgres/index.ts'
import { newSchema } from './places.ts'
import { insert, readyIds, rowOf, touch } from './rows.ts'
import { ownServer } from './server.ts'

let server: PostgresServer

beforeAll(async () => {
  server = await ownServer({ tcp: true })
}, 120_000)

function keep(storage: PostgresStorage): PostgresStorage {
  onTestFinished(() => storage.close())
  return storage
}

const KINDS: Array<[name: string, open: (schema: string) => PostgresStorage]> = [
  [
    'a pool of its own',
    (schema) =>
      keep(createPostgresStorage({ connectionString: server.connectionString, schema, hints: false })),
  ],
  [
    'a pool of the user',
    (schema) => {
      const pool = new Pool({ connectionString: server.connectionString })
      onTestFinished(() => pool.end())
      return keep(createPostgresStorage({ pool, schema, hints: false }))
    },
  ],
]

describe.each(KINDS)('with %s', (_, openKind) => {
  let storage: PostgresStorage

  beforeEach(async () => {
    storage = openKind(newSchema())
    await insert(storage, rowOf('te_1'))
  })

  test('a transaction whose connection is lost rejects, and leaves nothing', async () => {
    const lost = storage.withTransaction(async (tx) => {
      await tx.insertTaskExecutions([rowOf('te_2')])
      await terminateOthers()
      await tx.insertTaskExecutions([rowOf('te_3')])
    })
    await expect(lost).rejects.toThrow(/connection/)
    expect(await readyIds(storage)).toEqual(['te_1'])
  })

  test('a transaction whose connection is lost before its commit rejects', async () => {
    const lost = storage.withTransaction(async (tx) => {
      await tx.insertTaskExecutions([rowOf('te_2')])
      await terminateOthers()
    })
    await expect(lost).rejects.toThrow(/connection/)
    expect(await readyIds(storage)).toEqual(['te_1'])
  })

  test('idle connections that are lost are replaced', async () => {
    await Promise.all([readyIds(storage), readyIds(storage), readyIds(storage)])
    await terminateOthers()
    await untilAnswered(storage)
    expect(await readyIds(storage)).toEqual(['te_1'])
  })

  test('after a crash of the server, and its restart, the storage goes on', async () => {
    const held = storage.withTransaction(async (tx) => {
      await touch(tx, 'te_1')
      await server.restart()
      await touch(tx, 'te_1')
    })
    await expect(held).rejects.toThrow()
    await untilAnswered(storage)
    await insert(storage, rowOf('te_2'))
    expect(await readyIds(storage)).toEqual(['te_1', 'te_2'])
  })

  test('a statement that fails costs no connection', async () => {
    const { processId } = await pidOf(storage)
    await expect(insert(storage, rowOf('te_1'))).rejects.toThrow('already exists')
    expect(await pidOf(storage)).toEqual({ processId })
  })
})

test('transactions wait for one another where there is one connection', async () => {
  const storage = keep(
    createPostgresStorage({
      connectionString: server.connectionString,
      schema: newSchema(),
      hints: false,
      maxConnections: 1,
    }),
  )
  await Promise.all(Array.from({ length: 20 }, (_, index) => insert(storage, rowOf(`te_${index}`))))
  expect(await readyIds(storage)).toHaveLength(20)
})

test('a statement that waits for a lock longer than it may rejects', async () => {
  const schema = newSchema()
  const options = { connectionString: server.connectionString, schema, hints: false }
  const holder = keep(createPostgresStorage(options))
  const waiter = keep(createPostgresStorage({ ...options, statementTimeoutMs: 100 }))
  await insert(holder, rowOf('te_1'))
  await holder.withTransaction(async (tx) => {
    await touch(tx, 'te_1')
    await expect(waiter.withTransaction(async (other) => await touch(other, 'te_1'))).rejects.toThrow(
      'statement timeout',
    )
  })
  expect(await waiter.withTransaction(async (tx) => await touch(tx, 'te_1'))).toEqual(['te_1'])
})

test('a commit whose reply is lost rejects, and its connection is not used again', async () => {
  const wire = await openWire(server.port)
  const storage = keep(
    createPostgresStorage({
      connectionString: server.connectionString.replace(`:${server.port}/`, `:${wire.port}/`),
      schema: newSchema(),
      hints: false,
    }),
  )
  await insert(storage, rowOf('te_1'))
  const lost = storage.withTransaction(async (tx) => {
    await tx.insertTaskExecutions([rowOf('te_2')])
    wire.loseNextReply()
  })
  await expect(lost).rejects.toThrow()
  expect(await readyIds(storage)).toEqual(['te_1', 'te_2'])
})

test('a server that is not there rejects with the error of the driver, each time', async () => {
  const storage = keep(
    createPostgresStorage({
      connectionString: 'postgresql://postgres@127.0.0.1:1/postgres',
      hints: false,
    }),
  )
  await expect(readyIds(storage)).rejects.toThrow('ECONNREFUSED')
  await expect(readyIds(storage)).rejects.toThrow('ECONNREFUSED')
})

test('a connection that is lost in the moment it is ready rejects, and does not end the process', async () => {
  const wire = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(Buffer.concat([READY, refusal('terminating connection')])))
  })
  const port = await listen(wire)
  const address = `postgresql://postgres@127.0.0.1:${port}/postgres`
  const pool = new Pool({ connectionString: address })
  onTestFinished(() => pool.end())
  for (const source of [{ connectionString: address }, { pool }]) {
    const storage = keep(createPostgresStorage({ ...source, hints: false, migrate: false }))
    await expect(readyIds(storage)).rejects.toThrow()
    await expect(readyIds(storage)).rejects.toThrow()
  }
})

test('a pooler that refuses settings at the start gets none, and the storage works', async () => {
  const wire = await openWire(server.port, { refusesSettings: true })
  const storage = keep(
    createPostgresStorage({
      connectionString: server.connectionString.replace(`:${server.port}/`, `:${wire.port}/`),
      schema: newSchema(),
      hints: false,
    }),
  )
  await Promise.all([insert(storage, rowOf('te_1')), insert(storage, rowOf('te_2'))])
  expect((await readyIds(storage)).toSorted()).toEqual(['te_1', 'te_2'])
  expect(wire.refusals()).toBeGreaterThan(0)
})

async function untilAnswered(storage: PostgresStorage): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await readyIds(storage)
      return
    } catch (error) {
      if (tries === 100) {
        throw error
      }
    }
  }
}

async function pidOf(storage: PostgresStorage): Promise<{ processId: number }> {
  await readyIds(storage)
  const pids = await terminateOthers('select pid')
  return { processId: pids.at(-1) ?? 0 }
}

/** Ends all connections but the one it uses itself, or does something else with them. */
async function terminateOthers(what = 'select pid, pg_terminate_backend(pid)'): Promise<Array<number>> {
  const client = new Client({ connectionString: server.connectionString })
  await client.connect()
  try {
    const { rows } = await client.query<{ pid: number }>(
      `${what} from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
    )
    return rows.map(({ pid }) => pid)
  } finally {
    await client.end()
  }
}

/** Passes on what is said between clients and the server, until it is to lose a reply and the connection with it. */
async function openWire(
  port: number,
  { refusesSettings = false }: { refusesSettings?: boolean } = {},
): Promise<{ port: number; loseNextReply: () => void; refusals: () => number }> {
  let isLosing = false
  let refusals = 0
  const sockets = new Set<Socket>()
  const wire: Server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (bytes) => {
      if (refusesSettings && bytes.includes('\0options\0')) {
        refusals += 1
        client.end(refusal('unsupported startup parameter: options'))
      } else {
        upstream.write(bytes)
      }
    })
    upstream.on('data', (bytes) => {
      if (isLosing) {
        isLosing = false
        client.destroy()
      } else {
        client.write(bytes)
      }
    })
  })
  const wirePort = await listen(wire)
  onTestFinished(() => {
    for (const socket of sockets) {
      socket.destroy()
    }
  })
  return {
    port: wirePort,
    loseNextReply: () => {
      isLosing = true
    },
    refusals: () => refusals,
  }
}

/** Gives the port; closed when the test is over. */
async function listen(wire: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    wire.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(async () => {
    await new Promise((resolve) => {
      wire.close(resolve)
    })
  })
  const address = wire.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** That the client is known, and that the server is ready, as the protocol has it. */
const READY = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49])

/** An error as the protocol has it. */
function refusal(message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C08P01\0M${message}\0\0`)
  const head = Buffer.alloc(5, 'E')
  head.writeInt32BE(fields.length + 4, 1)
  return Buffer.concat([head, fields])
}
