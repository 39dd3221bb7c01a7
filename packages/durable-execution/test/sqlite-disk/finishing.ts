/** Opens a database as if after a power cut, and lets another executor finish all that is in it. */

import assert from 'node:assert/strict'

import { type DurableStorage } from '../../src/index.ts'
import { type ExecutionRow } from '../../src/machine/execution.ts'
import { ALL_STATUSES } from '../../src/machine/status.ts'
import { createSqliteStorage } from '../../src/storage/sqlite/index.ts'
import { runInWorld } from '../../src/testing/conformance/engine/world.ts'
import { defineWork } from './work.ts'

const LONGEST_SECONDS = 300

/** What was there when it was opened, and in the end, when all of it is completed and closed. */
export async function finishAll(
  path: string,
): Promise<{ before: Array<ExecutionRow>; after: Array<ExecutionRow> }> {
  await using storage = createSqliteStorage({ path })
  const before = await rowsOf(storage)
  let after = before
  // The rows are checked against the invariants when it is over.
  await runInWorld(
    () => Promise.resolve(storage),
    async (world) => {
      const executor = world.newExecutor()
      defineWork(executor)
      await world.until(executor.start())
      for (let second = 0; !after.every(isDone); second += 1) {
        assert.ok(second < LONGEST_SECONDS, `not all was finished within ${LONGEST_SECONDS} s of moved time`)
        await world.clock.advance('1s')
        after = await rowsOf(storage)
      }
    },
  )
  return { before, after }
}

function isDone({ status, isClosed }: ExecutionRow): boolean {
  return status === 'completed' && isClosed
}

/** All rows. */
export async function rowsOf(storage: DurableStorage): Promise<Array<ExecutionRow>> {
  return await storage.withTransaction(
    async (tx) => await tx.getTaskExecutions({ type: 'by_statuses', statuses: [...ALL_STATUSES] }),
  )
}
