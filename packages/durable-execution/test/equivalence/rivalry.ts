/** Two executors that do what they like to the same rows at the same time, and what must be true in the end. */

import assert from 'node:assert/strict'

import { ALL_STATUSES } from '../../src/machine/status.ts'
import { type DurableStorageTx } from '../../src/storage/contract.ts'
import { Conductor } from './conductor.ts'
import { COUNTER, type Deeds, newRow, perform, ROWS, rowId, type Traces } from './deeds.ts'
import { overFourOperations } from './four-operations.ts'
import { type Row } from './generated-rows.ts'
import { allRows } from './play.ts'
import { storageOf, type TwoConnections } from './serial.ts'

/** What each of the two does, and whose turn it is. */
export type Rivalry = { actors: readonly [Array<Deeds>, Array<Deeds>]; schedule: Array<number> }

class Undo extends Error {}

/** Plays it; fails if two were given the same row, or what was committed is not there, or what was undone is. */
export async function checkRivalry(world: TwoConnections, { actors, schedule }: Rivalry): Promise<void> {
  await world.clear()
  const [one] = world.storages
  const rows = Array.from({ length: ROWS }, (_, row) => ({
    ...newRow(rowId(row), 'first'),
    priority: (row % 3) - 1,
  }))
  await one.withTransaction(async (tx) => await tx.insertTaskExecutions([...rows, newRow(COUNTER, 'first')]))
  const inside = new Set<number>()
  const conductor = new Conductor(schedule, (actor) => world.isHeldUp(actor, inside))
  const committed: Array<Traces> = []
  const act = async (actor: number): Promise<void> => {
    const storage = storageOf(world, actor)
    let last: Traces | undefined
    for (const [index, { end, deeds }] of (actors[actor] ?? []).entries()) {
      const traces = beginTraces(`${actor}_${index}`, last)
      await conductor.border(actor)
      try {
        await storage.withTransaction(async (tx) => {
          inside.add(actor)
          const all = world.hasMembers
            ? (tx as Required<DurableStorageTx>)
            : overFourOperations(tx, () => new Date(0))
          for (const deed of deeds) {
            await conductor.border(actor)
            await perform(all, deed, traces)
          }
          await conductor.border(actor)
          if (end === 'rollback') {
            throw new Undo()
          }
        })
        committed.push(traces)
        last = traces
      } catch (error) {
        rethrowUnlessRefused(error)
      } finally {
        inside.delete(actor)
      }
    }
  }
  await conductor.run([() => act(0), () => act(1)])
  checkTraces(committed, await allRows(one, [...ALL_STATUSES]))
}

/** What the transaction begins with: all that the last one that was committed left to its executor. */
function beginTraces(token: string, last: Traces | undefined): Traces {
  return {
    token,
    held: new Map(last?.held),
    settled: new Set(last?.settled),
    taken: [],
    noted: new Set(),
    added: 0,
    inserted: [],
  }
}

// A storage may refuse a transaction that met another one; then nothing of it may be left.
function rethrowUnlessRefused(error: unknown): void {
  const isTaken = error instanceof Error && /already exists/.test(error.message)
  const isDeadlock = error instanceof Error && 'code' in error && error.code === '40P01'
  if (!(error instanceof Undo || isTaken || isDeadlock)) {
    throw error
  }
}

/** The traces are in the order of the commits. */
function checkTraces(committed: Array<Traces>, rows: Array<Row>): void {
  const byId = new Map(rows.map((row) => [row.executionId, row]))
  for (let number = 0; number < ROWS; number += 1) {
    const id = rowId(number)
    const row = byId.get(id)
    const takers = committed.filter(({ taken }) => taken.includes(id))
    assert.ok(takers.length <= 1, `${id} was given to ${takers.map(({ token }) => token).join(' and ')}`)
    const settler = committed.find(({ settled }) => settled.has(id))
    const status = settler === undefined ? (takers.length === 0 ? 'ready' : 'running') : 'completed'
    assert.deepEqual([row?.status, row?.leaseId], [status, takers[0]?.token], `who has ${id}`)
    assert.equal(row?.output, settler?.token, `who settled ${id}`)
    const noter = committed.findLast(({ noted }) => noted.has(id))
    assert.equal(row?.runOutput, noter?.token, `the last note on ${id}`)
  }
  const added = committed.reduce((sum, traces) => sum + traces.added, 0)
  assert.equal(byId.get(COUNTER)?.childrenTasksCompletedCount, added, 'what was added')
  const inserted = committed.flatMap(({ inserted, token }) => inserted.map((id) => `${id} by ${token}`))
  const shared = rows.filter((row) => row.executionId.startsWith('te_shared'))
  assert.deepEqual(
    shared.map((row) => `${row.executionId} by ${row.runInput}`).toSorted(),
    inserted.toSorted(),
    'what was inserted',
  )
}
