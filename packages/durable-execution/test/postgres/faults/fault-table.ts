/** Busy days on a real Postgres, in which transactions of each kind are struck on the line to the server. */

import assert from 'node:assert/strict'

import { Pool } from 'pg'

import { createPostgresStorage } from '../../../src/storage/postgres/index.ts'
import { liveBusyDay } from '../../../src/testing/conformance/engine/busy-day.ts'
import {
  kindOf,
  TRANSACTION_KINDS,
  type TransactionKind,
} from '../../../src/testing/conformance/engine/transaction-kinds.ts'
import { runInWorld } from '../../../src/testing/conformance/engine/world.ts'
import { newSchema } from '../places.ts'
import { countAnswers } from './answered-turns.ts'
import { keepLedger } from './audit.ts'
import { createStruckStorage, type StruckStorage } from './struck-storage.ts'
import { openWire, type WireFault } from './tcp-proxy.ts'

// A row that another has changed meanwhile is only touched; that happens by chance, and changes nothing.
const BY_CHANCE: ReadonlySet<TransactionKind> = new Set(['touch'])

/** The kinds that are struck. */
export const STRUCK_KINDS: ReadonlyArray<TransactionKind> = TRANSACTION_KINDS.filter(
  (kind) => !BY_CHANCE.has(kind),
)

/** Where the days are lived: a database reached by TCP, and what the sessions of the pool begin with. */
export type Server = { connectionString: string; sessionOptions: string }

/**
 * Lives through one day in which the first transaction of each of the kinds is struck. Afterwards everything
 * has ended as it should, the rows keep every invariant, and nothing was done twice.
 */
export async function liveThroughFaults(
  { connectionString, sessionOptions }: Server,
  kinds: ReadonlyArray<TransactionKind>,
  fault: WireFault,
): Promise<void> {
  const url = new URL(connectionString)
  const wire = await openWire(Number(url.port))
  url.port = String(wire.port)
  const schema = newSchema()
  const pool = new Pool({ connectionString: url.href, options: sessionOptions, max: 5 })
  const storage = createStruckStorage(pool, wire, { schema })
  try {
    await migrate(connectionString, schema)
    const audit = await keepLedger(connectionString, schema)
    const left = strikeEachOnce(storage, kinds, fault)
    await runInWorld(
      () => Promise.resolve(countAnswers(storage)),
      async (world) => await liveBusyDay(world, world.storage),
    )
    assert.deepEqual([...left], [], 'no transaction of these kinds was seen')
    assert.deepEqual(
      wire.struck(),
      kinds.map(() => fault),
      'each fault struck on the line',
    )
    assert.deepEqual(await audit.findings(), [])
    assert.deepEqual(await audit.losses(), ['doomed'], 'a broken connection costs no lease')
  } finally {
    await storage.close()
    await wire.close()
  }
}

/** Gives the kinds that are still to be struck. */
function strikeEachOnce(
  storage: StruckStorage,
  kinds: ReadonlyArray<TransactionKind>,
  fault: WireFault,
): ReadonlySet<TransactionKind> {
  const left = new Set(kinds)
  storage.strikeWhen((trace) => {
    const kind = kindOf(trace)
    return kind !== undefined && kind !== 'unknown' && left.delete(kind) ? fault : undefined
  })
  return left
}

async function migrate(connectionString: string, schema: string): Promise<void> {
  await using storage = createPostgresStorage({ connectionString, schema, hints: false })
  await storage.migrate()
}
