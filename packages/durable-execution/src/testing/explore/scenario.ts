/** What an exploration is about: which tasks there are, who runs them, and how much may go wrong. */

import { assert } from '../../base/assert.ts'
import { type DurableExecutionErrorStorageObject } from '../../base/errors.ts'
import { type DurableTaskRetryOptions } from '../../machine/execution.ts'
import { type Composed, type FanIn, type ParentPlan } from '../../machine/parent.ts'
import { type DurableCode } from './durable-code.ts'

/** How a run may end. */
export type Outcome =
  | { kind: 'succeeded' }
  | { kind: 'fanned_out'; childrenTaskIds: ReadonlyArray<string> }
  | { kind: 'failed'; error: DurableExecutionErrorStorageObject }

/** A task of the small world: all the ways its runs may end, the good one first. */
export type TaskSketch = {
  /** What its runs do before they come to an outcome. */
  code?: DurableCode
  outcomes: readonly [Outcome, ...Array<Outcome>]
  retryOptions?: DurableTaskRetryOptions
  /** The task that is run last; only of parents. */
  finalizeTaskId?: string
  /** How many of its children may end badly; none if absent. */
  toleratedFailures?: number
  /** Whether the outputs of its children cannot be put together. */
  isFanInBroken?: boolean
}

/** How often each misfortune may happen. What is not named never happens. */
export type Misfortunes = {
  /** An executor forgets all that it holds; a transaction in flight was committed, or not. */
  crashes: number
  /** A lease lapses though its run is alive. */
  stalls: number
  /** A user cancels something. */
  cancels: number
  /** An executor gives a run back. */
  releases: number
  /** A transaction is committed, and its executor does not hear of it and repeats it. */
  lostReplies: number
  /** A transaction is rolled back. */
  rollbacks: number
}

export type Scenario = {
  name: string
  /** What it is for, in a sentence. */
  about: string
  tasks: Readonly<Record<string, TaskSketch>>
  rootTaskId: string
  /** The signals that somebody sends to the root, by name: each once, at any time. */
  signals?: ReadonlyArray<string>
  /** The task ids that each executor knows. */
  executors: ReadonlyArray<ReadonlyArray<string>>
  misfortunes: Partial<Misfortunes>
  maxLosses: number
  /** How long the root may take; its deadline passes at any time, or never. */
  deadlineMs?: number
  /** How many transactions may have found something and not have come to their second step. */
  maxOpenFinds: number
  /** Whether a settling transaction locks the parents too, or leaves all closing to others. */
  isSettlingWithParents: boolean
  /** Whether a run that concerns no other row is settled over the row as it was claimed, guarded by its lease. */
  isSettlingFromClaims?: boolean
  /** Whether a sweep may also close in one transaction all that it finds. */
  isSweepingTogether?: boolean
  /** Whether the storage keeps only the fields that the contract demands. */
  isKeepingFewFields?: boolean
  /** Whether rows are locked without their texts and lists, so that the rules have to ask for them. */
  isLockingLean?: boolean
}

/** What an executor knows of a parent's task; undefined of a plain task. */
export function planFor(scenario: Scenario, taskId: string): ParentPlan | undefined {
  const task = scenario.tasks[taskId]
  if (task === undefined || !task.outcomes.some((outcome) => outcome.kind === 'fanned_out')) {
    return undefined
  }
  const compose = ({ children }: FanIn): Composed => {
    const isClear = children.every(
      ({ output, failure }) => (output === undefined) === (failure !== undefined),
    )
    assert(task.toleratedFailures === undefined || isClear, 'a child ended well and badly, or neither')
    return task.isFanInBroken === true
      ? { error: genericError('Outputs cannot be read') }
      : { text: 'outputs' }
  }
  const plan: ParentPlan = { composeOutput: compose }
  if (task.toleratedFailures !== undefined) {
    plan.toleratedFailures = task.toleratedFailures
  }
  if (task.finalizeTaskId !== undefined) {
    plan.finalize = { template: templateOf(scenario, task.finalizeTaskId), composeInput: compose }
  }
  return plan
}

/** What every execution of the task starts out with. */
export function templateOf(
  scenario: Scenario,
  taskId: string,
): { taskId: string; retryOptions: DurableTaskRetryOptions; sleepMsBeforeRun: number; timeoutMs: number } {
  const retryOptions = scenario.tasks[taskId]?.retryOptions ?? { maxAttempts: 0 }
  return { taskId, retryOptions, sleepMsBeforeRun: 0, timeoutMs: 1_000 }
}

/** An error that leads to `failed`. */
export function genericError(message: string, isRetryable = false): DurableExecutionErrorStorageObject {
  return { errorType: 'generic', message, isRetryable }
}
