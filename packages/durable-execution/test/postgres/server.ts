/** The real Postgres that a test file runs on: the one of the whole run, or a server of its own. */

import { connect } from 'node:net'

import { afterAll } from 'vitest'

import { createDatabaseOn, dropDatabaseOn } from '../../../../scripts/postgres/databases.ts'
import {
  type PostgresOptions,
  type PostgresServer,
  startPostgres,
} from '../../../../scripts/postgres/server.ts'
import { ASK_VARIABLE } from '../../../../scripts/postgres/vitest-setup.ts'

const cleanUps: Array<() => Promise<void>> = []

afterAll(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) {
    await cleanUp()
  }
}, 60_000)

/** An empty database on the server that all test files share; dropped when the file is through. */
export async function freshDatabase(): Promise<string> {
  const server = await sharedServer()
  const database = await createDatabaseOn(server)
  cleanUps.push(() => dropDatabaseOn(server, database))
  return database
}

/** A server for this file alone, stopped when the file is through. */
export async function ownServer(options: PostgresOptions = {}): Promise<PostgresServer> {
  const server = await startPostgres({ ...options, mustBeOwn: true })
  cleanUps.push(() => server.stop())
  return server
}

let shared: Promise<string> | undefined

function sharedServer(): Promise<string> {
  const socket = process.env[ASK_VARIABLE]
  shared ??= socket === undefined ? startForFile() : askForServer(socket)
  return shared
}

// For a run without the setup that starts one for all.
async function startForFile(): Promise<string> {
  const server = await startPostgres()
  cleanUps.push(() => server.stop())
  return server.connectionString
}

async function askForServer(socket: string): Promise<string> {
  let text = ''
  for await (const chunk of connect(socket).setEncoding('utf8')) {
    text += String(chunk)
  }
  const { connectionString, error } = JSON.parse(text) as { connectionString?: string; error?: string }
  if (connectionString === undefined) {
    throw new Error(`No Postgres for the tests: ${error}`)
  }
  return connectionString
}
