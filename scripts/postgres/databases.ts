/** Makes and drops databases on a server. */

import { randomUUID } from 'node:crypto'

import { Client } from 'pg'

/** Makes an empty database; gives the connection string that leads to it. */
export async function createDatabaseOn(
  server: string,
  name: string = `test_${randomUUID().replaceAll('-', '')}`,
): Promise<string> {
  await withClient(server, async (client) => {
    const { rows } = await client.query<{ server_version_num: string }>('show server_version_num')
    // Quicker for an empty database than the default, which writes the copy into the log.
    const strategy = Number(rows[0]?.server_version_num) >= 150_000 ? 'strategy file_copy' : ''
    await client.query(`create database "${name}" template template0 ${strategy}`)
  })
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

/** Drops the database that the connection string leads to, whoever is connected to it. */
export async function dropDatabaseOn(server: string, database: string): Promise<void> {
  const name = new URL(database).pathname.slice(1)
  await withClient(server, async (client) => {
    await client.query(`drop database if exists "${name}" with (force)`)
  })
}

async function withClient(connectionString: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
