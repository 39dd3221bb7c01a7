/** Set up once for a whole run of tests: one server for all test files, started when the first asks for it. */

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { type TestProject } from 'vitest/node'

import { type PostgresServer, startPostgres } from './server.ts'

/** Where test files ask for the server: the name of the variable that holds the path of a socket. */
export const ASK_VARIABLE = 'DURABLE_EXECUTION_POSTGRES_SOCKET'

/** What the project of the tests behind a pooler is called. */
export const POOLER_PROJECT = 'pooler'

export default async function setUpPostgres({ name }: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'durable-execution-ask-'))
  const socket = join(folder, 'socket')
  let starting: Promise<PostgresServer> | undefined
  const door = createServer((asker) => {
    asker.on('error', () => {})
    starting ??= startPostgres()
    starting.then(
      ({ connectionString }) => asker.end(JSON.stringify({ connectionString })),
      (error: unknown) => asker.end(JSON.stringify({ error: String(error) })),
    )
  })
  await new Promise<void>((resolve) => {
    door.listen(socket, resolve)
  })
  process.env[ASK_VARIABLE] = socket
  return async () => {
    delete process.env[ASK_VARIABLE]
    await new Promise((resolve) => {
      door.close(resolve)
    })
    await (await starting?.catch(() => undefined))?.stop()
    rmSync(folder, { recursive: true, force: true })
    if (name !== POOLER_PROJECT) {
      console.log('Left out: the tests behind a pooler, which need pgbouncer. Run `npm run test:pooler`.')
    }
  }
}
