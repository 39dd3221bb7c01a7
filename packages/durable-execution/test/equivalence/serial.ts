/** Two connections whose transactions meet, held against memory in which they run one after the other. */

import { ALL_STATUSES } from '../../src/machine/status.ts'
import { type DurableStorage, type DurableStorageTx } from '../../src/storage/contract.ts'
import { createInMemoryStorage } from '../../src/storage/memory/in-memory-storage.ts'
import { type Transaction } from './commands.ts'
import { Conductor, type IsHeldUp } from './conductor.ts'
import { overFourOperations } from './four-operations.ts'
import { type Row } from './generated-rows.ts'
import { allRows, performOn, type Played, playTransaction } from './play.ts'
import { assertEqual, performAsModel } from './sequences.ts'

/** Two storages over the same rows. */
export type TwoConnections = {
  storages: readonly [DurableStorage, DurableStorage]
  clear: () => void | Promise<void>
  close: () => Promise<void>
  hasMembers: boolean
  /** Whether only one can be in a transaction that writes, so that rows are inserted in the order of the commits. */
  isExclusive: boolean
  /** Whether the actor waits for a lock; `inside` are those that are in a transaction. */
  isHeldUp: (actor: number, inside: ReadonlySet<number>) => boolean | Promise<boolean>
}

/** What is played: rows to begin with, what each of the two does, and whose turn it is. */
export type Meeting = {
  rows: Array<Row>
  actors: readonly [Array<Transaction>, Array<Transaction>]
  schedule: Array<number>
}

type Done = { actor: number; transaction: Transaction; played: Played }

/**
 * Plays the meeting; fails unless every answer, and the rows in the end, are what memory gives for the same
 * transactions one after the other.
 */
export async function compareMeeting(world: TwoConnections, meeting: Meeting): Promise<void> {
  await world.clear()
  const [one] = world.storages
  if (meeting.rows.length > 0) {
    await one.withTransaction(async (tx) => await tx.insertTaskExecutions(meeting.rows))
  }
  const done = await playMeeting(world, meeting)
  const memory = createInMemoryStorage()
  await memory.withTransaction(async (tx) => await tx.insertTaskExecutions(meeting.rows))
  const story = done.map(({ actor, transaction }) => `${actor}: ${kindsOf(transaction)}`).join('\n')
  for (const { transaction, played } of done) {
    const expected = await playTransaction(memory, transaction, async (tx, command) =>
      performAsModel(tx as Required<DurableStorageTx>, command, world),
    )
    assertEqual(played, expected, `${kindsOf(transaction)}, of\n${story}`)
  }
  const rows = await Promise.all([one, memory].map((storage) => allRows(storage, [...ALL_STATUSES])))
  const [left = [], right = []] = world.isExclusive ? rows : rows.map(byId)
  assertEqual(left, right, `the rows in the end, after\n${story}`)
}

/** The transactions in the order in which they could have run one after the other. */
async function playMeeting(world: TwoConnections, { actors, schedule }: Meeting): Promise<Array<Done>> {
  const done: Array<Done> = []
  const inside = new Set<number>()
  const isHeldUp: IsHeldUp = (actor) => world.isHeldUp(actor, inside)
  const conductor = new Conductor(schedule, isHeldUp)
  const act = async (actor: number): Promise<void> => {
    for (const transaction of actors[actor] ?? []) {
      const entry: Done = { actor, transaction, played: { end: 'rolled back', answers: [] } }
      const storage = storageOf(world, actor)
      await conductor.border(actor)
      const withBorders: DurableStorage['withTransaction'] = async (fn, hint) => {
        try {
          return await storage.withTransaction(async (tx) => {
            inside.add(actor)
            const result = await fn(tx)
            // A single read sees what is there when it is made, and is over with it.
            if (hint?.oneCall !== true) {
              await conductor.border(actor)
            }
            return result
          }, hint)
        } finally {
          inside.delete(actor)
        }
      }
      entry.played = await playTransaction(
        { withTransaction: withBorders },
        transaction,
        async (tx, command) => {
          await conductor.border(actor)
          const all = world.hasMembers
            ? (tx as Required<DurableStorageTx>)
            : overFourOperations(tx, () => (command.kind === 'lock' ? command.now : new Date(0)))
          return await performOn(all, command)
        },
      )
      done.push(entry)
    }
  }
  await conductor.run([() => act(0), () => act(1)])
  return done
}

/** The storage of one of the two. */
export function storageOf({ storages }: TwoConnections, actor: number): DurableStorage {
  return actor === 0 ? storages[0] : storages[1]
}

function kindsOf({ end, commands }: Transaction): string {
  return `${commands.map(({ kind }) => kind).join(', ')}, ${end}`
}

function byId(rows: Array<Row>): Array<Row> {
  return rows.toSorted((a, b) => (a.executionId < b.executionId ? -1 : 1))
}
