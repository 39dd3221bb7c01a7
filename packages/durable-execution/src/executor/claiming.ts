/** Takes due work while there are free slots, and starts it once the claim is committed. */

import { type Millis } from '../base/clock.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { claimRows, findClaimed, nextDueAt } from '../store/claim.ts'
import { settleRuns } from '../store/settle.ts'
import { type Engine } from './engine.ts'
import { Loop } from './loop.ts'
import { type Runs } from './runs.ts'

/** A claim that was sent and not acknowledged: it may have happened. */
type DoubtfulClaim = { leaseId: string; expiresAt: Date; deadlineAt: Millis }

export class Claiming {
  readonly loop: Loop
  readonly #engine: Engine
  readonly #runs: Runs
  readonly #onRunStarted: () => void
  #doubtful: Array<DoubtfulClaim> = []
  /** Whether the last claim got all it asked for, so that more may be due. */
  #isMoreDue = true
  #isOver = false
  #wakeAt: { at: Millis; cancel: () => void } | undefined

  constructor(engine: Engine, runs: Runs, onRunStarted: () => void) {
    this.#engine = engine
    this.#runs = runs
    this.#onRunStarted = onRunStarted
    const { clock, random } = engine.doors
    this.loop = new Loop({
      name: 'claiming',
      clock,
      random,
      step: () => this.#claim(),
      onError: (error) => engine.logger.error('Due tasks could not be claimed yet', error),
    })
  }

  /** Something is or will be due. The earliest such moment counts. */
  wakeAt(readyAtMs: Millis): void {
    const delayMs = readyAtMs - this.#engine.store.now()
    if (delayMs <= 0) {
      this.#isMoreDue = true
      this.loop.wake()
      return
    }
    // Later ones than the next poll are found by the poll.
    if (this.#isOver || delayMs > this.#engine.options.pollMs) {
      return
    }
    if (this.#wakeAt === undefined || readyAtMs < this.#wakeAt.at) {
      this.#wakeAt?.cancel()
      const timer = this.#engine.doors.clock.setTimer(delayMs, () => {
        this.#wakeAt = undefined
        this.wakeAt(readyAtMs)
      })
      this.#wakeAt = { at: readyAtMs, cancel: () => timer.cancel() }
    }
  }

  slotFreed(): void {
    if (this.#isMoreDue) {
      this.loop.wake()
    }
  }

  /** Takes nothing new from now on. */
  async stop(): Promise<void> {
    this.#isOver = true
    this.#wakeAt?.cancel()
    await this.loop.stop()
  }

  async #claim(): Promise<Millis> {
    const { options, registry } = this.#engine
    await this.#adoptDoubtful()
    const limit = options.maxConcurrentRuns - this.#runs.size
    const taskIds = registry.ids()
    if (limit <= 0 || taskIds.length === 0) {
      return options.pollMs
    }
    const rows = await this.#claimSome(taskIds, limit)
    this.#isMoreDue = rows.length >= limit
    if (this.#isMoreDue || this.#isOver) {
      return options.pollMs
    }
    const { store, transact } = this.#engine
    const dueAt = await nextDueAt(transact, taskIds, new Date(store.now() + options.pollMs))
    // A row that is due already is one whose old function has not ended, or that came after the claim.
    const delayMs = dueAt === undefined ? options.pollMs : Math.max(dueAt - store.now(), 1)
    return Math.min(delayMs, options.pollMs)
  }

  async #claimSome(taskIds: Array<string>, limit: number): Promise<Array<ExecutionRow>> {
    const { store, transact, options, executorId, doors } = this.#engine
    const now = store.now()
    const expiresAt = new Date(now + options.expireMs)
    const leaseId = store.newLeaseId()
    const deadlineAt = doors.clock.monotonicNow() + options.expireMs
    const claim = {
      taskIds,
      excludedExecutionIds: this.#runs.unendedIds(),
      limit,
      now: new Date(now),
      expiresAt,
      leaseId,
      executorId,
    }
    try {
      const rows = await claimRows(transact, claim, store)
      await this.#startAll(rows, deadlineAt)
      return rows
    } catch (error) {
      this.#doubtful.push({ leaseId, expiresAt, deadlineAt })
      throw error
    }
  }

  /** Looks up claims whose commit was not acknowledged, and runs what they took. */
  async #adoptDoubtful(): Promise<void> {
    const { clock } = this.#engine.doors
    for (let claim = this.#doubtful[0]; claim !== undefined; claim = this.#doubtful[0]) {
      if (claim.deadlineAt > clock.monotonicNow()) {
        const rows = await findClaimed(this.#engine.transact, claim.leaseId, claim.expiresAt)
        await this.#startAll(rows, claim.deadlineAt)
      }
      this.#doubtful.shift()
    }
  }

  async #startAll(rows: ReadonlyArray<ExecutionRow>, deadlineAt: Millis): Promise<void> {
    const { registry } = this.#engine
    const refused: Array<ExecutionRow> = []
    for (const row of rows) {
      const definition = registry.get(row.taskId)
      if (definition === undefined || this.#isOver || this.#runs.isActive(row.executionId)) {
        refused.push(row)
      } else {
        this.#runs.start(row, definition, deadlineAt)
      }
    }
    if (rows.length > refused.length) {
      this.#onRunStarted()
    }
    await this.#giveBack(refused)
  }

  /** A claim that came too late, during shutdown, is given back without an attempt. */
  async #giveBack(rows: ReadonlyArray<ExecutionRow>): Promise<void> {
    if (rows.length === 0) {
      return
    }
    const { transact, store, logger } = this.#engine
    const settlements = rows.flatMap((claimed) =>
      claimed.startedAt === undefined
        ? []
        : [
            {
              claimed,
              event: {
                kind: 'released' as const,
                executionId: claimed.executionId,
                lease: { startedAt: claimed.startedAt, leaseId: claimed.leaseId ?? '' },
              },
            },
          ],
    )
    try {
      const { effects } = await settleRuns(transact, settlements, store, { isRepeat: false })
      this.#engine.tell(effects)
    } catch (error) {
      logger.error(`${rows.length} claimed executions could not be given back; their lease will lapse`, error)
    }
  }
}
