/** A few processes on one Postgres, which may crash under them. */

import { beforeAll, expect, test } from 'vitest'

import { type PostgresServer } from '../../../../scripts/postgres/server.ts'
import { checkWorld } from '../../src/machine/invariants.ts'
import { ownServer } from '../postgres/server.ts'
import { throughOutages } from '../postgres/faults/through-outages.ts'
import { testHandovers, until } from './handovers.ts'
import { expectedEnd } from './harness/expected.ts'
import { CHILDREN } from './harness/tasks.ts'
import { postgresPlace } from './harness/places.ts'

const TREES = 40

let server: PostgresServer

beforeAll(async () => {
  server = await ownServer()
}, 120_000)

const world = testHandovers(() => postgresPlace(server.connectionString))

test('a server that crashes and comes back under its workers costs nothing but time', async () => {
  const { crew, client, tasks, rows } = world()
  const handles = await Promise.all(
    Array.from({ length: TREES }, (_, input) =>
      client.enqueueTask(tasks.get('tree') ?? { id: 'tree' }, input),
    ),
  )
  await crew.start(2)
  for (let crashes = 1; crashes <= 2; crashes += 1) {
    const before = (await throughOutages(rows)).length
    await until(async () => (await throughOutages(rows)).length > before)
    await server.restart()
  }
  for (const [input, handle] of handles.entries()) {
    const { status, ...end } = await throughOutages(() => handle.waitAndGetTaskFinishedExecution())
    expect({ status, output: 'output' in end ? end.output : undefined }).toEqual(expectedEnd('tree', input))
  }
  const count = TREES * (2 + CHILDREN)
  await until(async () => (await rows()).filter((row) => row.isClosed).length === count)
  expect(checkWorld(await rows())).toEqual([])
}, 120_000)
