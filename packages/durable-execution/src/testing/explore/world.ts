/**
 * One state of the small world: the rows, what each executor holds in its memory, what may still go
 * wrong, and what an observer counted. Worlds are never changed; a step makes a new one.
 *
 * There is one instant. That is no loss: what matters of time is whether a row is due and whether a
 * lease has lapsed, and both are facts of the row that steps of their own bring about; and a clock
 * that stands still is the hardest one for the fence.
 */

import { LIMITS } from '../../base/limits.ts'
import { type ExecutionEvent, type Lease } from '../../machine/event.ts'
import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../../machine/execution.ts'
import { type ExecutionHistory } from '../../machine/history.ts'
import { addWishes } from '../../machine/new-row.ts'
import { type Misfortunes, type Scenario, templateOf } from './scenario.ts'

/** The instant of all steps. */
export const NOW = 1_000_000

/** The end of a lease that holds, and of one that lapsed. */
export const HOLDS_UNTIL: Date = new Date(NOW + 30_000)
export const LAPSED_AT: Date = new Date(NOW - 1)

/** When a sleep, or a wait with a time limit, is over: a little later. */
export const SOON: Date = new Date(NOW + 1_000)

/** Whether it is not due before something happens: no passing of time brings it about. */
export function isFarOff({ startAt }: ExecutionRow): boolean {
  return startAt.getTime() >= NOW + LIMITS.delayMs
}

/** The transactions that begin with a look for candidates. */
export type FindKind = 'claim' | 'recover' | 'close' | 'cascade' | 'close_top' | 'reject'

/** What a transaction found in its first step, on the way to its second. */
export type Found = {
  kind: FindKind
  executionId: string
  /** All the rows it is about, if it is not only that one: below it, of a cascade; closed together, of a sweep. */
  ids?: ReadonlyArray<string>
  /** The rows as they were found; kept only where a planted fault decides from them. */
  rows?: ReadonlyMap<string, ExecutionRow>
}

/** User code that an executor is running, or believes to be. */
export type Run = {
  executionId: string
  lease: Lease
  /** The row as the claim left it. */
  claimed: ExecutionRow
  /** The signals, and the children that have ended, of which it knew when it began. */
  knows: ReadonlySet<string>
  /** How it ended, if that was sent already and the reply was lost. */
  sent?: ExecutionEvent
}

export type ExecutorState = {
  name: string
  runs: ReadonlyArray<Run>
  found: Found | null
}

/** A signal on its way: not sent, sent without a reply, or done with. */
export type Sending = 'unsent' | 'unsure' | 'done'

export type World = {
  rows: ReadonlyMap<string, ExecutionRow>
  executors: ReadonlyArray<ExecutorState>
  /** The signals of the scenario, one by one. */
  sendings: ReadonlyArray<Sending>
  left: Misfortunes
  history: ReadonlyMap<string, ExecutionHistory>
}

/** The world in which one root execution was just enqueued. */
export function firstWorld(scenario: Scenario): World {
  const template = templateOf(scenario, scenario.rootTaskId)
  const root = createDurableTaskExecutionStorageObject({
    ...template,
    now: new Date(NOW),
    executionId: scenario.rootTaskId,
    runInput: 'input',
  })
  if (scenario.deadlineMs !== undefined) {
    addWishes(root, { deadlineMs: scenario.deadlineMs })
  }
  const none = { crashes: 0, stalls: 0, cancels: 0, releases: 0, lostReplies: 0, rollbacks: 0 }
  const executors = scenario.executors.map((_, index) => ({
    name: String.fromCodePoint('A'.charCodeAt(0) + index),
    runs: [],
    found: null,
  }))
  return {
    rows: new Map([[root.executionId, scenario.isKeepingFewFields === true ? root : { ...root, depth: 1 }]]),
    executors,
    sendings: (scenario.signals ?? []).map(() => 'unsent'),
    left: { ...none, ...scenario.misfortunes },
    history: new Map(),
  }
}

/** The world with one executor's memory changed. */
export function withExecutor(world: World, index: number, change: Partial<ExecutorState>): World {
  const executors = world.executors.map((executor, at) =>
    at === index ? { ...executor, ...change } : executor,
  )
  return { ...world, executors }
}

/** The world with one misfortune less to come. */
export function spend(world: World, misfortune: keyof Misfortunes): World {
  return { ...world, left: { ...world.left, [misfortune]: world.left[misfortune] - 1 } }
}

/** Whether nothing is left to be done. */
export function isSettled(world: World): boolean {
  for (const row of world.rows.values()) {
    if (!row.isClosed) {
      return false
    }
  }
  return true
}

/** Whether the lease of the row has lapsed. */
export function hasLapsed(row: ExecutionRow): boolean {
  return row.expiresAt !== undefined && row.expiresAt.getTime() < NOW
}
