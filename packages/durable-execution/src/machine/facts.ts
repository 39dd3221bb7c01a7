/** What a rule may ask, and what it may answer. */

import { type Millis } from '../base/clock.ts'
import { type KnownRow } from './durable.ts'
import { type Refusal } from './event.ts'
import { type ExecutionRow, type ExecutionUpdate, type LeanRow } from './execution.ts'
import { type FanIn, type ParentPlan } from './parent.ts'

/** What the rules may ask of the world around the row; all of it was read before. */
export type TransitionFacts = {
  now: Millis
  /** What is known here of a parent's task; undefined if nothing. */
  planOf: (taskId: string) => ParentPlan | undefined
  newExecutionId: () => string
  /** A row of the family. */
  row: (executionId: string) => LeanRow | undefined
  /** What was read of rows outside the family; undefined if it was not read yet. */
  known: (executionId: string) => KnownRow | undefined
  /** The outputs a parent's end is made of; undefined if they were not read yet. */
  fanIn: (parentId: string) => FanIn | undefined
  /** The output of a finished row; undefined if it was not read yet. */
  output: (executionId: string) => string | undefined
  /** How many children of the parent ended badly and are closed; undefined if they were not counted yet. */
  failedChildren: (parentId: string) => number | undefined
}

/** What becomes of the row, and which rows appear below it. */
export type Step = {
  update: ExecutionUpdate | null
  inserts: ReadonlyArray<ExecutionRow>
  /** A change of a record of the row. */
  updateBeside?: { executionId: string; update: ExecutionUpdate }
}

/** What must be read before the event can be decided. */
export type Needs =
  | { needs: 'fan_in' | 'output' | 'failed_children'; executionId: string }
  | { needs: 'rows'; ids: Array<string> }

export type Transition = Step | Needs | { refused: Refusal }
