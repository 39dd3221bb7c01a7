/** A process whose idle connections are lost lives on. */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { beforeAll, expect, onTestFinished, test } from 'vitest'

import { type PostgresServer } from '../../../../../scripts/postgres/server.ts'
import { newSchema } from '../places.ts'
import { ownServer } from '../server.ts'

let server: PostgresServer

beforeAll(async () => {
  server = await ownServer()
}, 120_000)

test.each(['pool', 'connectionString'])(
  'the loss of all idle connections, the listening one too, does not end a process (%s)',
  async (kind) => {
    const idle = await startIdle(kind)
    await server.restart({ isGraceful: true })
    idle.send('read')
    await heard(idle, 'read')
    await server.restart()
    idle.send('read')
    await heard(idle, 'read')
    expect(idle.exitCode).toBeNull()
  },
)

async function startIdle(kind: string): Promise<ChildProcess> {
  const idle = fork(
    join(import.meta.dirname, 'idle-process.ts'),
    [kind, server.connectionString, newSchema()],
    { execArgv: ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'] },
  )
  onTestFinished(async () => {
    if (idle.exitCode === null) {
      idle.kill('SIGKILL')
      await once(idle, 'exit')
    }
  })
  await heard(idle, 'idle')
  return idle
}

/** Rejects if the process ends instead. */
async function heard(idle: ChildProcess, word: string): Promise<void> {
  const said = await Promise.race([
    once(idle, 'message').then(([message]) => String(message)),
    once(idle, 'exit').then(([code]) => `ended with ${String(code)}`),
  ])
  expect(said).toBe(word)
}
