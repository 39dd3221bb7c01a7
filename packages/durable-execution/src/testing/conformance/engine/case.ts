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

/** What is special about a case. */
export type EngineCaseOptions = {
  /** Why the rows are not checked against the invariants in the end: the case writes rows that no engine would. */
  breaksInvariants?: string
}

/** Makes a case of a rule, a sentence, and what shows it. The rows it leaves are checked against the invariants. */
export function engineCase(
  rule: string,
  name: string,
  run: (world: EngineWorld) => Promise<void>,
  { breaksInvariants }: EngineCaseOptions = {},
): EngineConformanceCase {
  const isChecked = breaksInvariants === undefined
  return { name, rule, run: async ({ open }) => await runInWorld(open, run, { isChecked }) }
}
