/** Cases: each kind of engine transaction may fail, or succeed unheard, at any time. */

import assert from 'node:assert/strict'

import { createFaultyStorage, type StorageFault } from '../../faults.ts'
import { liveBusyDay } from './busy-day.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { kindOf, TRANSACTION_KINDS, type TransactionKind } from './transaction-kinds.ts'
import { type EngineWorld } from './world.ts'

// A row that another has changed meanwhile is only touched; that happens by chance, and changes nothing.
const BY_CHANCE: ReadonlySet<TransactionKind> = new Set(['touch'])
// Somebody awaits these, and gives up with the storage's error when nothing is answered.
const AWAITED: ReadonlySet<TransactionKind> = new Set(['insert', 'cancel', 'read'])

const FAULTY_KINDS = TRANSACTION_KINDS.filter((kind) => !BY_CHANCE.has(kind))

async function liveThroughFault(
  world: EngineWorld,
  kind: TransactionKind,
  fault: StorageFault,
): Promise<void> {
  const storage = createFaultyStorage(world.storage)
  let struck = 0
  storage.failAtCommitWhen((trace) => {
    if (struck === 0 && kindOf(trace) === kind) {
      struck += 1
      return fault
    }
    return undefined
  })
  await liveBusyDay(world, storage)
  assert.equal(struck, 1, `no transaction of the kind ${kind} was seen`)
}

const faultCase = (kind: TransactionKind): EngineConformanceCase =>
  engineCase(
    `transaction.${kind}`,
    `a transaction of the kind ${kind} may be lost, or its reply, and nothing is lost or done twice`,
    async (world) => {
      await liveThroughFault(world, kind, 'lost_request')
      await liveThroughFault(world, kind, 'lost_reply')
      if (!AWAITED.has(kind)) {
        await liveThroughFault(world, kind, 'hang')
      }
    },
  )

/** A rule for each kind of transaction that faults go through. */
export const TRANSACTION_RULES: Record<string, string> = Object.fromEntries(
  FAULTY_KINDS.map((kind) => [
    `transaction.${kind}`,
    `A transaction of the kind ${kind} may be repeated blindly: whether its commit is known does not matter.`,
  ]),
)

export const TRANSACTION_CASES: Array<EngineConformanceCase> = [
  ...FAULTY_KINDS.map(faultCase),

  engineCase(
    'transaction.kinds',
    'every engine transaction is of a kind that faults go through',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      await liveBusyDay(world, storage)
      const kinds = new Set(storage.traces().map(kindOf))
      const unknown = storage.traces().filter((trace) => kindOf(trace) === 'unknown')
      assert.deepEqual(unknown, [], 'a transaction is of no known kind')
      for (const kind of FAULTY_KINDS) {
        assert.ok(kinds.has(kind), `no transaction was of the kind ${kind}`)
      }
    },
  ),
]
