/** Takes due work while there are free slots, and starts it once the claim is committed. */

import { type Millis } from '../base/clock.ts'
import { DurableExecutionCancelledError } from '../base/errors.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { type DurableStorageClaim } from '../storage/contract.ts'
import { claimRows, findClaimed, type NextDue, nextDueAt } from '../store/claim.ts'
import { settleRuns } from '../store/settle.ts'
import { withUserTries } from '../store/transact.ts'
import { type Engine } from './engine.ts'
import { Loop } from './loop.ts'
import { releasedEvent } from './run-attempt.ts'
import { leaseOf, type Runs } from './runs.ts'

/** A claim that was sent and not acknowledged: it may have happened. */
type DoubtfulClaim = { leaseId: string; expiresAt: Date; deadlineAt: Millis }

type DueTasks = Pick<DurableStorageClaim, 'taskIds' | 'excludedExecutionIds'>

export class Claiming {
  readonly loop: Loop
  readonly #engine: Engine
  readonly #runs: Runs
  readonly #onRunStarted: () => void
  #doubtful: Array<DoubtfulClaim> = []
  /** Whether something may be due: told so, or the last claim got all it asked for. */
  #isMoreDue = true
  /** Whether the last claim left out what may be due, since its old function had not ended. */
  #isWaitingForEnd = false
  #isOver = false
  /** When the next row of others is due, as far as the last look went; it is taken again by the poll or a hint. */
  #nextDueAt: Millis | undefined
  /** Whether the last look saw only rows of tasks not known here, which may hide those that are. */
  #isCovered = false
  #nextLookAt: Millis = 0
  #isLookDue = true
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

  /** This process has made rows ready: the first is due at one moment, the last at another. */
  madeReady(firstAtMs: Millis, lastAtMs: Millis): void {
    if (lastAtMs > this.#engine.store.now()) {
      // There is one timer, for the first. Those that come after it are found by looking.
      this.#isLookDue = true
    }
    this.#wakeAtMoment(firstAtMs)
  }

  #wakeAtMoment(readyAtMs: Millis): void {
    const delayMs = readyAtMs - this.#engine.store.now()
    if (delayMs <= 0) {
      this.#isMoreDue = true
      this.loop.wake()
      return
    }
    // Later ones than the next poll are found by the poll.
    if (this.#isOver || delayMs > this.#engine.pollMs()) {
      return
    }
    if (this.#wakeAt === undefined || readyAtMs < this.#wakeAt.at) {
      this.#wakeAt?.cancel()
      const timer = this.#engine.doors.clock.setTimer(delayMs, () => {
        this.#wakeAt = undefined
        this.#wakeAtMoment(readyAtMs)
      })
      this.#wakeAt = { at: readyAtMs, cancel: () => timer.cancel() }
    }
  }

  /** Somebody else may have made something due, now or later. */
  hinted(): void {
    this.#isLookDue = true
    this.#isMoreDue = true
    this.loop.wake()
  }

  slotFreed(): void {
    if (this.#isMoreDue || this.#isWaitingForEnd) {
      this.loop.wake()
    }
  }

  /** Takes nothing new from now on; what a claim under way still takes is given back. */
  async stop(): Promise<void> {
    this.#isOver = true
    this.#wakeAt?.cancel()
    await this.loop.stop()
    try {
      await this.#adoptDoubtful()
    } catch (error) {
      this.#engine.logger.error(
        'Claims of unknown outcome could not be looked up; their leases will lapse',
        error,
      )
    }
  }

  async #claim(): Promise<Millis> {
    const { registry, pollMs } = this.#engine
    await this.#adoptDoubtful()
    const limit = this.#runs.free
    const taskIds = registry.ids()
    if (limit <= 0 || taskIds.length === 0) {
      // Nobody has looked: what is due may have come while all slots were taken.
      this.#isMoreDue = true
      return pollMs()
    }
    const excludedExecutionIds = this.#runs.unendedIds()
    this.#isWaitingForEnd = excludedExecutionIds.length > 0
    const due = { taskIds, excludedExecutionIds }
    if (!this.#mayBeDue()) {
      // Nobody said that anything is: a read is all that a quiet look costs.
      await this.#look(due)
    }
    if (this.#mayBeDue()) {
      this.#isMoreDue = false
      const rows = await this.#claimSome(due, limit)
      // What was told meanwhile stands.
      this.#isMoreDue ||= rows.length >= limit
      // Once that one is taken, another may be the next.
      this.#isLookDue ||= this.#isNextDue()
    }
    return this.#isMoreDue || this.#isOver ? pollMs() : await this.#untilNextDue(due)
  }

  #mayBeDue(): boolean {
    return this.#isMoreDue || this.#isWaitingForEnd || this.#isCovered || this.#isNextDue()
  }

  #isNextDue(): boolean {
    return this.#nextDueAt !== undefined && this.#nextDueAt <= this.#engine.store.now()
  }

  /** How long until the next row is due, or the next look for one. */
  async #untilNextDue(due: DueTasks): Promise<Millis> {
    const { store, doors } = this.#engine
    // What this process makes due at once it tells by itself, so such wakes need no new look.
    if (this.#isLookDue || doors.clock.monotonicNow() >= this.#nextLookAt) {
      await this.#look(due)
    }
    const lookInMs = Math.max(this.#nextLookAt - doors.clock.monotonicNow(), 1)
    if (this.#nextDueAt === undefined) {
      return lookInMs
    }
    // A row that is due already came after the claim.
    return Math.min(Math.max(this.#nextDueAt - store.now(), 1), lookInMs)
  }

  /** Learns when the next row is due. */
  async #look(due: DueTasks): Promise<void> {
    const { options, doors, pollMs } = this.#engine
    const monotonicNow = doors.clock.monotonicNow()
    const { dueAt, isCovered } = await this.#lookForNextDue(due)
    this.#nextDueAt = dueAt
    this.#isCovered = isCovered
    // Where rows of tasks not known here stood before those that are, the next look comes soon.
    this.#nextLookAt = monotonicNow + (isCovered ? options.pollMs : pollMs())
  }

  async #lookForNextDue(due: DueTasks): Promise<NextDue> {
    const { store, transact, pollMs } = this.#engine
    // Before the look: a hint that comes during it asks for another one.
    this.#isLookDue = false
    try {
      return await nextDueAt(transact, due, new Date(store.now() + pollMs()))
    } catch (error) {
      this.#isLookDue = true
      throw error
    }
  }

  async #claimSome(due: DueTasks, limit: number): Promise<Array<ExecutionRow>> {
    const { store, transact, options, executorId, doors } = this.#engine
    const now = store.now()
    const expiresAt = new Date(now + options.expireMs)
    const leaseId = store.newLeaseId()
    const deadlineAt = doors.clock.monotonicNow() + options.expireMs
    const claim = { ...due, limit, now: new Date(now), expiresAt, leaseId, executorId }
    let rows: Array<ExecutionRow>
    try {
      rows = await claimRows(transact, claim, store)
    } catch (error) {
      this.#doubtful.push({ leaseId, expiresAt, deadlineAt })
      this.#isMoreDue = true
      throw error
    }
    await this.#startAll(rows, deadlineAt)
    return rows
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
      if (this.#runs.isActive(row.executionId)) {
        // It could be claimed, so the run that is still at it here has lost its lease.
        this.#runs.dropById(row.executionId, new DurableExecutionCancelledError('Task lost its lease'))
        refused.push(row)
      } else if (definition === undefined || this.#isOver) {
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

  /** What was claimed and cannot be run here, most often during shutdown, is given back without an attempt. */
  async #giveBack(rows: ReadonlyArray<ExecutionRow>): Promise<void> {
    if (rows.length === 0) {
      return
    }
    const { transact, store, logger, tell, doors } = this.#engine
    const settlements = rows.map((claimed) => ({
      claimed,
      event: releasedEvent({ row: claimed, lease: leaseOf(claimed) }),
    }))
    try {
      const { effects } = await withUserTries(
        async (tries) => await settleRuns(transact, settlements, store, { isRepeat: tries > 1 }),
        doors.clock,
        doors.random,
      )
      tell(effects)
    } catch (error) {
      logger.error(`${rows.length} claimed executions could not be given back; their lease will lapse`, error)
    }
  }
}
