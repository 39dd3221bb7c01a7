/** Gives an executor a clock, chance and ids of the test's own. */

import { DOORS, type Doors, systemDoors } from '../base/doors.ts'
import { type DurableExecutorOptions } from '../executor/options.ts'

/**
 * Options for an executor whose time, chance or ids a test owns; what is not given is the real one.
 *
 * @example
 * ```ts
 * import { createInMemoryStorage, DurableExecutor } from 'durable-execution'
 * import { createTestClock, withDoors } from 'durable-execution/testing'
 *
 * const clock = createTestClock()
 * const executor = new DurableExecutor(createInMemoryStorage(), withDoors({}, { clock }))
 * const reminder = executor.task({ id: 'reminder', timeoutMs: 1000, sleepMsBeforeRun: 3 * 86_400_000, run: () => 'sent' })
 * await executor.start()
 * const handle = await executor.enqueueTask(reminder, undefined)
 * await clock.leap('3d')
 * await clock.advance('1s')
 * console.log((await handle.getTaskExecution()).status) // → completed
 * await executor.shutdown()
 * ```
 *
 * @category Testing
 */
export function withDoors(options: DurableExecutorOptions, doors: Partial<Doors>): DurableExecutorOptions {
  return Object.assign({}, options, { [DOORS]: { ...systemDoors, ...doors } })
}
