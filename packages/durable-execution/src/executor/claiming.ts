/** Takes due work while there are free slots, and starts it once the claim is committed. */

import { type Millis } from '../base/clock.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { claimRows, type DueTasks, findClaimed, type NextDue, nextDueAt } from '../store/claim.ts'
import { type Engine } from './engine.ts'
import { Loop } from './loop.ts'
import { type Runs } from './runs.ts'
import { type Starter } from './starter.ts'
import { type Suspects } from './suspects.ts'

/** A claim that was sent and not acknowledged: it may have happened. */
type DoubtfulClaim = { leaseId: string; expiresAt: Date; deadlineAt: Millis }

// Claims that take nothing, though something is said to be due, come ever more rarely: down to one a second.
const MOST_VAIN_DOUBLINGS = 10

export class Claiming {
  readonly loop: Loop
  readonly #engine: Engine
  readonly #runs: Runs
  readonly #suspects: Suspects
  readonly #starter: Starter
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
  #isClaiming = false
  /** How many claims in a row took nothing. */
  #vainClaims = 0

  constructor(engine: Engine, runs: Runs, suspects: Suspects, starter: Starter) {
    this.#engine = engine
    this.#runs = runs
    this.#suspects = suspects
    this.#starter = starter
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

  /** Whether the last claim left nothing due, as far as is known here: what comes now passes nobody. */
  get isAllTaken(): boolean {
    return !this.#isOver && !this.#isClaiming && !this.#mayBeDue()
  }

  slotFreed(): void {
    if (this.#suspects.takeTurn()) {
      this.#isMoreDue = true
      // The last one did not see them either.
      this.#isLookDue = true
    }
    if (this.#isMoreDue || this.#isWaitingForEnd) {
      this.loop.wake()
    }
  }

  /** Takes nothing new from now on; what a claim under way still takes is given back. */
  async stop(): Promise<void> {
    this.#isOver = true
    this.#starter.stop()
    this.#wakeAt?.cancel()
    await this.loop.stop()
    await this.#starter.idle()
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
    const { registry, pollMs, knowTime } = this.#engine
    await knowTime()
    await this.#adoptDoubtful()
    const limit = this.#runs.free
    const taskIds = registry.ids()
    if (limit <= 0 || taskIds.length === 0) {
      // Nobody has looked: what is due may have come while all slots were taken.
      this.#isMoreDue = true
      return pollMs()
    }
    const unendedIds = this.#runs.unendedIds()
    this.#isWaitingForEnd = unendedIds.length > 0
    const due = this.#suspects.within(taskIds, unendedIds)
    if (!this.#mayBeDue()) {
      // Nobody said that anything is: a read is all that a quiet look costs.
      await this.#look(due)
    }
    if (this.#mayBeDue()) {
      this.#isMoreDue = false
      await this.#claimSome(due, limit)
      // Once that one is taken, another may be the next.
      this.#isLookDue ||= this.#isNextDue()
    }
    if (this.#isMoreDue && this.#runs.free > 0) {
      return 0
    }
    return this.#isMoreDue || this.#isOver ? pollMs() : await this.#untilNextDue(due)
  }

  #mayBeDue(): boolean {
    return (
      this.#isMoreDue ||
      this.#isWaitingForEnd ||
      this.#isCovered ||
      // The next one may have ended meanwhile: a look does not find that, and a claim goes on to the one behind it.
      this.#suspects.isNextDue ||
      this.#isNextDue()
    )
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
    // A row that is due already came after the claim; or it cannot be claimed, as in a damaged index, and is not to be
    // asked for without end.
    const leastMs = 2 ** Math.min(this.#vainClaims, MOST_VAIN_DOUBLINGS)
    return Math.min(Math.max(this.#nextDueAt - store.now(), leastMs), lookInMs)
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

  /** Takes some due rows, and starts them. */
  async #claimSome(due: DueTasks, limit: number): Promise<void> {
    const { store, transact, options, executorId, doors } = this.#engine
    const now = store.now()
    const expiresAt = new Date(now + options.expireMs)
    const leaseId = store.newLeaseId()
    const deadlineAt = doors.clock.monotonicNow() + options.expireMs
    const claim = { ...due, limit, now: new Date(now), expiresAt, leaseId, executorId }
    const letGo = this.#runs.reserve(limit)
    this.#isClaiming = true
    let rows: Array<ExecutionRow>
    try {
      rows = await claimRows(transact, claim, store)
    } catch (error) {
      this.#doubtful.push({ leaseId, expiresAt, deadlineAt })
      this.#isMoreDue = true
      letGo()
      throw error
    } finally {
      this.#isClaiming = false
    }
    this.#isMoreDue ||= rows.length >= limit
    this.#vainClaims = rows.length === 0 ? this.#vainClaims + 1 : 0
    this.#suspects.claimed(due)
    // Nothing is claimed meanwhile: starting may take several turns.
    await this.#starter.start(rows, deadlineAt, letGo)
    this.#isMoreDue ||= this.#suspects.isNextDue
  }

  /** Looks up claims whose commit was not acknowledged, and runs what they took. */
  async #adoptDoubtful(): Promise<void> {
    const { clock } = this.#engine.doors
    for (let claim = this.#doubtful[0]; claim !== undefined; claim = this.#doubtful[0]) {
      if (claim.deadlineAt > clock.monotonicNow()) {
        const rows = await findClaimed(this.#engine.transact, claim.leaseId, claim.expiresAt)
        await this.#starter.start(rows, claim.deadlineAt)
      }
      this.#doubtful.shift()
    }
  }
}
