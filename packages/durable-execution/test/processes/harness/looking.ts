/** Looking at the rows of a round that goes on, through all that is done to the storage. */

import { setTimeout as pause } from 'node:timers/promises'

import { type DurableStorage } from '../../../src/index.ts'
import { type ExecutionRow } from '../../../src/machine/execution.ts'
import { ACTIVE_STATUSES, ALL_STATUSES, FINISHED_STATUSES } from '../../../src/machine/status.ts'
import { type History } from './history.ts'

const LOOK_EVERY_MS = 200
const SEE_EVERY_MS = 4_000
const MOST_TRIES = 40

/** Whether, within the time, nothing is active or open any more. */
export async function settled(storage: DurableStorage, withinMs: number): Promise<boolean> {
  const lastAt = performance.now() + withinMs
  while (performance.now() < lastAt) {
    if (await through(() => isSettled(storage))) {
      return true
    }
    await pause(LOOK_EVERY_MS)
  }
  return false
}

async function isSettled(storage: DurableStorage): Promise<boolean> {
  return await storage.withTransaction(async (tx) => {
    const active = await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: [...ACTIVE_STATUSES] }, 1)
    const statuses = [...FINISHED_STATUSES]
    const open = await tx.getTaskExecutionIds({ type: 'by_statuses', statuses, isClosed: false }, 1)
    return active.length === 0 && open.length === 0
  })
}

/** Lets the history look at all rows every few seconds. */
export async function see(
  storage: DurableStorage,
  history: History,
  until: AbortSignal,
  onLook: () => void,
): Promise<void> {
  while (!until.aborted) {
    history.look(await through(() => readAll(storage)))
    onLook()
    await pause(SEE_EVERY_MS, undefined, { signal: until }).catch(() => {})
  }
}

/** All rows, by one statement: as they are at one moment. */
export async function readAll(storage: DurableStorage): Promise<Array<ExecutionRow>> {
  return await storage.withTransaction(
    async (tx) => await tx.getTaskExecutions({ type: 'by_statuses', statuses: [...ALL_STATUSES] }),
  )
}

// Looking is disturbed like everything else: connections break, and a stopped process may hold the file's lock.
async function through<T>(look: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await look()
    } catch (error) {
      if (tries === MOST_TRIES) {
        throw error
      }
      await pause(LOOK_EVERY_MS)
    }
  }
}
