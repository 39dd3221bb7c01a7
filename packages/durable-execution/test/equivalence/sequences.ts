/** Plays one generated sequence on a storage and on memory, and compares all that they answer. */

import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'

import { LIMITS } from '../../src/base/limits.ts'
import { ALL_STATUSES, OWN_FIELDS } from '../../src/machine/execution.ts'
import {
  type DurableStorage,
  type DurableStorageClaim,
  type DurableStorageGuardedUpdate,
  type DurableStorageTx,
} from '../../src/storage/contract.ts'
import { createInMemoryStorage } from '../../src/storage/memory/in-memory-storage.ts'
import { type Command, type Transaction } from './commands.ts'
import { overFourOperations } from './four-operations.ts'
import { type Row } from './generated-rows.ts'
import { allRows, type Answer, messageOf, performOn, playTransaction } from './play.ts'

/** A storage that is held against memory. */
export type World = {
  storage: DurableStorage
  /** Takes away all rows. */
  clear: () => void | Promise<void>
  close: () => Promise<void>
  /** Whether its transactions have the optional members; if not, they are made of the four operations. */
  hasMembers: boolean
  /** Whether it keeps only the fields of the published contract, and so no leases. */
  keepsOldFieldsOnly?: boolean
  /** Whether claims within a second go on where the last one ended, so that which rows they take is open. */
  hasClaimCursor?: boolean
}

const NEW_FIELDS: ReadonlySet<string> = new Set(OWN_FIELDS)

const CURSOR_MS = 1_000

/** Fails where the storage and memory differ. */
export async function compareSequence(world: World, sequence: Array<Transaction>): Promise<void> {
  await world.clear()
  const memory = createInMemoryStorage()
  const claimedAt: Array<number> = []
  for (const [place, given] of sequence.entries()) {
    const transaction = world.keepsOldFieldsOnly === true ? withoutNewFields(given) : given
    const played = await playTransaction(world.storage, transaction, (tx, command) =>
      performOn(allMembersOf(world, tx, command), command),
    )
    const expected = await playTransaction(memory, transaction, async (tx, command, index) => {
      const model = tx as Required<DurableStorageTx>
      if (command.kind !== 'claim') {
        return await performAsModel(model, command, world)
      }
      const now = command.claim.now.getTime()
      const isFresh = claimedAt.every((earlier) => Math.abs(now - earlier) >= CURSOR_MS)
      claimedAt.push(now)
      const isOpen = world.hasClaimCursor === true ? !isFresh : await isLookShort(model, command.claim, world)
      return await claimAsModel(model, command.claim, isOpen ? played.answers[index] : undefined)
    })
    const where = `transaction ${place} of ${sequence.length}: ${transaction.commands.map(({ kind }) => kind).join(', ')}`
    assertEqual(kept(world, played), kept(world, expected), where)
  }
  const statuses = [...ALL_STATUSES]
  assertEqual(
    kept(world, await allRows(world.storage, statuses)),
    kept(world, await allRows(memory, statuses)),
    'the rows in the end',
  )
}

function allMembersOf(world: World, tx: DurableStorageTx, command: Command): Required<DurableStorageTx> {
  return world.hasMembers
    ? (tx as Required<DurableStorageTx>)
    : overFourOperations(tx, () => (command.kind === 'lock' ? command.now : new Date(0)))
}

/** What memory answers; a lock by an update leaves its trace there too. */
export async function performAsModel(
  tx: Required<DurableStorageTx>,
  command: Command,
  world: Pick<World, 'hasMembers'>,
): Promise<Answer> {
  if (command.kind === 'lock' && !world.hasMembers) {
    const where = { type: 'by_execution_ids' as const, executionIds: command.executionIds }
    await tx.updateTaskExecutions(where, { updatedAt: command.now })
  }
  return await performOn(tx, command)
}

/** Whether there may be more due rows than a claim looks at that is made of the four operations: it may miss the highest priority. */
async function isLookShort(
  tx: Required<DurableStorageTx>,
  claim: DurableStorageClaim,
  { hasMembers }: World,
): Promise<boolean> {
  return !hasMembers && (await readyAt(tx, claim)).length > LIMITS.claimedFromRows
}

/** Claims in memory: by the contract or, where it is open which rows those are, the rows that were taken. */
async function claimAsModel(
  tx: Required<DurableStorageTx>,
  claim: DurableStorageClaim,
  taken: Answer,
): Promise<Answer> {
  if (taken === undefined) {
    return await performOn(tx, { kind: 'claim', claim })
  }
  const takenIds = (taken as Array<Row>).map((row) => row.executionId)
  const due = (await readyAt(tx, claim))
    .filter(
      (row) => claim.taskIds.includes(row.taskId) && (row.losses ?? 0) < (claim.lossesLessThan ?? Infinity),
    )
    .map((row) => row.executionId)
    .filter((id) => !claim.excludedExecutionIds.includes(id))
  assert.equal(takenIds.length, Math.min(claim.limit, due.length), 'a claim takes as many as there are')
  const excludedExecutionIds = [...claim.excludedExecutionIds, ...due.filter((id) => !takenIds.includes(id))]
  return await performOn(tx, { kind: 'claim', claim: { ...claim, excludedExecutionIds } })
}

async function readyAt(tx: DurableStorageTx, claim: DurableStorageClaim): Promise<Array<Row>> {
  return await tx.getTaskExecutions({
    type: 'by_start_at_less_than',
    statuses: ['ready'],
    startAtLessThan: new Date(claim.now.getTime() + 1),
  })
}

/** The transaction without what asks for fields that not every storage keeps. */
function withoutNewFields(transaction: Transaction): Transaction {
  const commands = transaction.commands.flatMap((command): Array<Command> => {
    switch (command.kind) {
      case 'insert':
      case 'insert if missing':
        return [{ ...command, rows: command.rows.map(withoutPriority) }]
      case 'renew':
        return []
      case 'claim': {
        const { lossesLessThan: _, ...claim } = command.claim
        return [{ ...command, claim }]
      }
      case 'update batch':
        return [{ ...command, updates: command.updates.map(withoutLease) }]
      default:
        return [command]
    }
  })
  return { ...transaction, commands }
}

function withoutPriority(row: Row): Row {
  const { priority: _, ...others } = row
  return others
}

function withoutLease(guarded: DurableStorageGuardedUpdate): DurableStorageGuardedUpdate {
  const { leaseId: _, ...others } = guarded
  return others
}

/** The value as it is compared: without the fields that the storage does not keep. */
function kept(world: World, value: unknown): unknown {
  if (
    world.keepsOldFieldsOnly !== true ||
    typeof value !== 'object' ||
    value === null ||
    value instanceof Date
  ) {
    return value
  }
  if (Array.isArray(value)) {
    return value.map((one) => kept(world, one))
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !NEW_FIELDS.has(name))
      .map(([name, field]) => [name, kept(world, field)]),
  )
}

/** Fails, and says where, unless the two are deeply equal. */
export function assertEqual(actual: unknown, expected: unknown, where: string): void {
  // Looked at first, since it takes long to say how long texts differ.
  if (isDeepStrictEqual(actual, expected)) {
    return
  }
  try {
    assert.deepStrictEqual(actual, expected)
  } catch (error) {
    assert.fail(`${where}\n${messageOf(error)}`)
  }
  assert.fail(where)
}
