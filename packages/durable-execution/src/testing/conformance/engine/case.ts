/** One rule of the engine, shown over whatever storage it is. */

import { type DurableStorage } from '../../../storage/contract.ts'
import { type EngineWorld, runInWorld } from './world.ts'

/** A case of the suite that runs whole executors. */
export type EngineConformanceCase = {
  /** A plain sentence, unique in the suite. */
  name: string
  /** The rule it shows, as named in the table of rules. */
  rule: string
  run: (t: { open: () => Promise<DurableStorage> }) => Promise<void>
}

/** Makes a case of a rule, a sentence, and what shows it. */
export function engineCase(
  rule: string,
  name: string,
  run: (world: EngineWorld) => Promise<void>,
): EngineConformanceCase {
  return { name, rule, run: async ({ open }) => await runInWorld(open, run) }
}
