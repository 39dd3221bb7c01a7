/** Runs whole executors over a storage, in any test runner: the engine half of the conformance suite. */

import { type StorageConformanceOptions } from '../storage-conformance.ts'
import { ENGINE_THEMES } from './engine-conformance.ts'

/**
 * What the engine suite is told about a storage and the test runner. Options shared with
 * {@link StorageConformanceOptions} mean the same; places are opened once.
 *
 * @category Testing
 */
export type EngineConformanceOptions = Pick<
  StorageConformanceOptions,
  'name' | 'describe' | 'it' | 'create'
> & {
  /**
   * For a storage that keeps only the fields of the contract and drops the engine's optional ones: why.
   * The cases that need them are then left out, with the reason in their titles.
   */
  withoutOptionalFields?: string | undefined
  /** Only the themes of these titles: `tasks and attempts`, `trees`, `leases`; default all. */
  themes?: ReadonlyArray<string> | undefined
}

/**
 * Registers one test for each case of the engine: tasks, trees, leases, shutdown, faults. Time is moved,
 * so they are quick.
 *
 * @example
 * ```ts
 * import { createInMemoryStorage } from 'durable-execution'
 * import { runEngineConformance } from 'durable-execution/testing'
 * import { describe, it } from 'vitest'
 *
 * runEngineConformance({
 *   name: 'my storage',
 *   describe,
 *   it,
 *   create: async () => {
 *     const storage = createInMemoryStorage()
 *     return { open: async () => storage, canOpenTwice: false, cleanup: async () => {} }
 *   },
 * })
 * ```
 *
 * @category Testing
 */
export function runEngineConformance({
  name,
  describe,
  it,
  create,
  withoutOptionalFields,
  themes,
}: EngineConformanceOptions): void {
  for (const theme of ENGINE_THEMES) {
    if (themes !== undefined && !themes.includes(theme.title)) {
      continue
    }
    describe(`the engine over ${name}: ${theme.title}`, () => {
      for (const one of theme.cases) {
        const need = theme.needsOptionalFields[one.rule]
        if (withoutOptionalFields !== undefined && need !== undefined) {
          const leaveOut = it.skip ?? it
          leaveOut(`${one.name} (left out: ${withoutOptionalFields}; ${need})`, () => Promise.resolve())
          continue
        }
        it(one.name, async () => {
          const place = await create()
          try {
            await one.run({ open: place.open })
          } finally {
            await place.cleanup()
          }
        })
      }
    })
  }
}
