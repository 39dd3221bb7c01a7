/** The world of one engine case: a storage, a clock that is moved, executors that are shut down at the end. */

import assert from 'node:assert/strict'

import { type Doors } from '../../../base/doors.ts'
import { type Millis } from '../../../base/clock.ts'
import { type DurableTaskHandle } from '../../../client/handle.ts'
import { type DurableTaskFinishedExecution } from '../../../client/view.ts'
import { DurableExecutor } from '../../../executor/executor.ts'
import { type DurableExecutorOptions } from '../../../executor/options.ts'
import { type ExecutionRow } from '../../../machine/execution.ts'
import { ALL_STATUSES } from '../../../machine/status.ts'
import { checkWorld } from '../../../machine/invariants.ts'
import { type DurableStorage } from '../../../storage/contract.ts'
import { createTestClock, type TestClock } from '../../clock.ts'
import { collectLogs, type TestLogLine } from '../../collected-logs.ts'
import { createMortalStorage } from '../../mortal-storage.ts'
import { withDoors } from '../../with-doors.ts'

/** What a case is given. */
export type EngineWorld = {
  clock: TestClock
  storage: DurableStorage
  /** Every line that an executor of this world logged. */
  logs: Array<TestLogLine>
  /** An executor on the world's storage (or another one) and clock, shut down when the case ends. */
  newExecutor: (options?: NewExecutorOptions) => DurableExecutor
  /** Moves the clock in steps of 50 ms until the promise settles; fails after `limit` of moved time. */
  until: <T>(promise: Promise<T>, limit?: Millis) => Promise<T>
  /** Waits, moving the clock, until the execution is finished. */
  finish: <T>(handle: DurableTaskHandle<T>, limit?: Millis) => Promise<DurableTaskFinishedExecution<T>>
  /** All rows, in the order of their ids. */
  rows: () => Promise<Array<ExecutionRow>>
  row: (executionId: string) => Promise<ExecutionRow>
  /** Lets an executor vanish as if its process had died: nothing of it reaches the storage any more. */
  kill: (executor: DurableExecutor) => void
  /** How many children of a task may fail before it does, where that is not none; for checking the invariants. */
  toleratedFailures: Map<string, number>
}

type NewExecutorOptions = DurableExecutorOptions & {
  storage?: DurableStorage
  doors?: Partial<Doors>
}

const STEP_MS = 50

/** Runs a case in a new world; checks that it leaves nothing behind, and that its rows keep every invariant. */
export async function runInWorld(
  open: () => Promise<DurableStorage>,
  run: (world: EngineWorld) => Promise<void>,
  { isChecked = true }: { isChecked?: boolean } = {},
): Promise<void> {
  const clock = createTestClock()
  const storage = await open()
  const logs: EngineWorld['logs'] = []
  const living = new Map<DurableExecutor, { die: () => void }>()
  const toleratedFailures: EngineWorld['toleratedFailures'] = new Map()
  let hasDead = false

  const until = async <T>(promise: Promise<T>, limit: Millis = 10 * 60_000): Promise<T> => {
    let isSettled = false
    const settled = promise.finally(() => {
      isSettled = true
    })
    settled.catch(() => {})
    await clock.settle()
    const end = clock.monotonicNow() + limit
    while (!isSettled) {
      assert.ok(clock.monotonicNow() < end, `nothing came of it in ${limit} ms of moved time`)
      await clock.advance(STEP_MS)
    }
    return await settled
  }
  const rows = async (): Promise<Array<ExecutionRow>> => {
    const found = await storage.withTransaction(
      async (tx) => await tx.getTaskExecutions({ type: 'by_statuses', statuses: [...ALL_STATUSES] }),
    )
    return found.toSorted((a, b) => (a.executionId < b.executionId ? -1 : 1))
  }
  const world: EngineWorld = {
    clock,
    storage,
    logs,
    toleratedFailures,
    newExecutor: ({ storage: own, doors, ...options } = {}) => {
      const mortal = createMortalStorage(own ?? storage)
      const executor = new DurableExecutor(
        mortal.storage,
        withDoors(
          {
            logger: collectLogs(logs),
            enableDebug: true,
            // Given, so that it is kept: a storage that hints does so in real time, and here time is moved.
            backgroundProcessIntraBatchSleepMs: 500,
            ...options,
          },
          { clock, ...doors },
        ),
      )
      living.set(executor, mortal)
      return executor
    },
    until,
    finish: (handle, limit) => until(handle.waitAndGetTaskFinishedExecution(), limit),
    rows,
    row: async (executionId) => {
      const row = (await rows()).find((one) => one.executionId === executionId)
      assert.ok(row, `there is no row ${executionId}`)
      return row
    },
    kill: (executor) => {
      living.get(executor)?.die()
      living.delete(executor)
      hasDead = true
    },
  }
  try {
    await run(world)
  } finally {
    for (const executor of living.keys()) {
      await until(executor.shutdown({ graceMs: 0 }))
    }
  }
  // A dead process takes its timers with it; here they stay.
  if (!hasDead) {
    assert.equal(clock.pendingTimers(), 0, 'an executor that has shut down leaves no timer behind')
  }
  if (isChecked) {
    const tolerated = (taskId: string): number => toleratedFailures.get(taskId) ?? 0
    assert.deepEqual(
      checkWorld(await rows(), { toleratedFailures: tolerated }),
      [],
      'the rows keep every invariant',
    )
  }
}
