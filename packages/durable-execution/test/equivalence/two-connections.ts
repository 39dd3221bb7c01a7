/** Two storage objects over one file or database, each with a connection of its own. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import Database from 'better-sqlite3'
import { Client } from 'pg'

import { type DurableStorage } from '../../src/storage/contract.ts'
import { createPostgresStorage } from '../../src/storage/postgres/index.ts'
import { createSqliteStorage } from '../../src/storage/sqlite/index.ts'
import { hideOptionalMembers } from '../../src/testing/hide-optional-members.ts'
import { type TwoConnections } from './serial.ts'

/** Makes the two storages. */
export type MakeTwo = () => Promise<TwoConnections>

export const twoNodeSqlite: MakeTwo = async () =>
  await twoSqlite((file) => new DatabaseSync(file, { timeout: 0 }))

export const twoBetterSqlite: MakeTwo = async () =>
  await twoSqlite((file) => new Database(file, { timeout: 0 }))

async function twoSqlite(open: (file: string) => DatabaseSync | Database.Database): Promise<TwoConnections> {
  const folder = await mkdtemp(join(tmpdir(), 'durable-execution-'))
  const databases = [0, 1].map(() => open(join(folder, 'executions.db')))
  // What a power cut would lose is not looked at here, and waiting for the disk takes most of the time.
  const [one, other] = databases.map((database) => createSqliteStorage({ database, synchronous: 'NORMAL' }))
  if (one === undefined || other === undefined) {
    throw new TypeError('there are two')
  }
  await one.migrate()
  await other.migrate()
  return {
    storages: [one, other],
    clear: () => {
      databases[0]?.exec('delete from durable_execution_executions; delete from durable_execution_children')
    },
    close: async () => {
      await Promise.all([one.close(), other.close()])
      for (const database of databases) {
        database.close()
      }
      await rm(folder, { recursive: true, force: true })
    },
    hasMembers: true,
    isExclusive: true,
    isHeldUp: (actor, inside) => [...inside].some((other) => other !== actor),
  }
}

/** Two storages in that database, whose members may be hidden. */
export const twoPostgres =
  (connectionString: () => string, schema: string, isHidden: boolean): MakeTwo =>
  async () => {
    const client = new Client({ connectionString: connectionString() })
    await client.connect()
    await findDeadlocksSoon(client)
    const options = { connectionString: connectionString(), schema, hints: false, maxConnections: 1 }
    const one = createPostgresStorage(options)
    const other = createPostgresStorage(options)
    await one.migrate()
    await other.migrate()
    const seen = (storage: DurableStorage): DurableStorage =>
      isHidden ? hideOptionalMembers(storage) : storage
    return {
      storages: [seen(one), seen(other)],
      clear: async () => {
        await client.query(`delete from "${schema}".execution_rows; delete from "${schema}".claims`)
      },
      close: async () => {
        await Promise.all([one.close(), other.close()])
        await client.end()
      },
      hasMembers: !isHidden,
      isExclusive: false,
      isHeldUp: async () => {
        const { rows } = await client.query(
          `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        )
        return rows.length > 0
      },
    }
  }

// A second for each deadlock would be most of the time. Where that setting is not ours to make, it is a second.
async function findDeadlocksSoon(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>('select quote_ident(current_database()) as name')
  await client.query(`alter database ${rows[0]?.name} set deadlock_timeout = '10ms'`).catch(() => {})
}
