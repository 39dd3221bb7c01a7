/** Waiting for executions while their storage comes and goes. */

import { type DurableTaskHandle } from '../../../src/index.ts'

const MOST_TRIES = 20

/** A call rejects with the storage's error when that is away for longer than a user waits; then it is made again. */
export async function throughOutages<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await call()
    } catch (error) {
      if (tries === MOST_TRIES) {
        throw error
      }
    }
  }
}

/** The outputs of the executions, once they have finished; of one that is not completed, what became of it. */
export async function finishAll(handles: ReadonlyArray<DurableTaskHandle<number>>): Promise<Array<unknown>> {
  return await Promise.all(
    handles.map(async (handle) => {
      const end = await throughOutages(() =>
        handle.waitAndGetTaskFinishedExecution({ pollingIntervalMs: 200 }),
      )
      return end.status === 'completed' ? end.output : end
    }),
  )
}
