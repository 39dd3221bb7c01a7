/** Watches every commit and every start, and says which promise was broken. */

import { type Millis } from '../../base/clock.ts'
import { type ExecutionHistory, historyOf, recordStart, recordStep } from '../../machine/history.ts'
import { checkHistory, checkStep, checkWorld, type Violation } from '../../machine/invariants.ts'
import { type Lease } from '../../machine/event.ts'
import { eventsOf, leaseOf } from './derived-events.ts'
import { type Commit } from './server.ts'
import { EPOCH_MS } from './sim-process.ts'

/** A promise that was broken. `L5`: not everything came to its end; `S20`: an outage was recorded as a task's failure; `code`: durable code saw or did what it must not. */
export type SimViolation = Omit<Violation, 'invariant'> & {
  invariant: Violation['invariant'] | 'L5' | 'S20' | 'code' | 'result'
}

export type ObserverOptions = {
  /** The true time, in milliseconds since the simulation began. */
  now: () => Millis
  /** How far the clocks of executors may be off. */
  toleranceMs: Millis
  /** Undefined where the storage does not keep the count of losses. */
  maxLosses: number | undefined
}

export class Observer {
  readonly violations: Array<SimViolation> = []
  #history: ReadonlyMap<string, ExecutionHistory> = new Map()
  /** Which process claimed each execution last, and under which lease. */
  readonly #holders = new Map<string, { by: string; lease: Lease; hasStarted: boolean }>()
  readonly #options: ObserverOptions

  constructor(options: ObserverOptions) {
    this.#options = options
  }

  /** The process that claimed the execution last. */
  holderOf(executionId: string): string | undefined {
    return this.#holders.get(executionId)?.by
  }

  committed(commit: Commit): void {
    const { now, toleranceMs, maxLosses } = this.#options
    const events = eventsOf(commit, (executionId) => this.holderOf(executionId))
    const nowMs = EPOCH_MS + now() + toleranceMs
    const context = { now: nowMs, events, history: this.#history }
    this.violations.push(...checkStep(commit.before, commit.after, context))
    this.#history = recordStep(this.#history, commit.after, events)
    for (const event of events) {
      const row = commit.after.get(event.executionId)
      if (event.kind === 'claimed' && row !== undefined) {
        this.#holders.set(event.executionId, { by: commit.by, lease: leaseOf(row), hasStarted: false })
      }
    }
    const touched = commit.trees()
    this.violations.push(...checkWorld(touched, { now: nowMs }))
    const rows = new Map(touched.map((row) => [row.executionId, row]))
    const history = new Map(
      touched.map(({ executionId }) => [executionId, historyOf(this.#history, executionId)]),
    )
    this.violations.push(...checkHistory(rows, history, { maxLosses }))
  }

  /** A function was called in the process. */
  started(by: string, executionId: string): void {
    const holder = this.#holders.get(executionId)
    if (holder?.by !== by || holder.hasStarted) {
      // Its lease may have lapsed, and somebody else may hold the row by now: that is no start without a claim.
      const claimed = historyOf(this.#history, executionId).claims.length
      const started = historyOf(this.#history, executionId).starts.length
      if (started >= claimed) {
        const sentence = `${by} started it, and has no claim that was not used`
        this.violations.push({ invariant: 'S7', executionId, sentence })
      }
      this.#history = recordUnknownStart(this.#history, executionId)
      return
    }
    holder.hasStarted = true
    this.#history = recordStart(this.#history, executionId, holder.lease)
  }
}

/** The start of a run whose lease somebody else has taken meanwhile: under the first claim that nobody started. */
function recordUnknownStart(
  history: ReadonlyMap<string, ExecutionHistory>,
  executionId: string,
): ReadonlyMap<string, ExecutionHistory> {
  const { claims, starts } = historyOf(history, executionId)
  const unused = claims.find(
    (claim) => !starts.some((start) => start.startedAt.getTime() === claim.startedAt.getTime()),
  )
  return unused === undefined ? history : recordStart(history, executionId, unused)
}
