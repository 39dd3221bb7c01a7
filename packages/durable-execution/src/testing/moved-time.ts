/**
 * Moves the time of whole executors. Their loops look at the storage twice a second for ever, which would make three days half a
 * million turns; so time goes from one moment at which something is due to the next, and leaps over what lies between.
 */

import { type Millis, sleep, systemClock } from '../base/clock.ts'
import { type MaybePromise } from '../base/promise.ts'
import { type DurableStorage } from '../storage/contract.ts'
import { createTransactionMutex, type TransactionMutex } from '../storage/mutex.ts'
import { type TestClock } from './clock.ts'
import { type ClockFace } from './clock-face.ts'
import { TestKitError } from './kit-error.ts'
import { type Ahead, lookAhead } from './look-ahead.ts'

/** An executor that lives by the time that is moved. */
export type TimedProcess = {
  /** The executions whose function is at work in it. */
  runningIds: () => ReadonlySet<string>
  /** How many of its calls the storage has not answered. */
  callsUnderWay: () => number
  isDead: () => boolean
  /** How long its leases are. */
  leaseMs: Millis
}

/** What time is moved for. */
export type MovedTimeDoors = {
  clock: TestClock
  /** Where the executors keep their rows; it is read, and never written. */
  storage: DurableStorage
  /** Timers that fire in their order and at their moment, though the executors know nothing of them. */
  timers?: ClockFace
  /** How long a function may be at work in real time before the clock moves on without it. */
  patienceMs: Millis
  /** How long, in real time, it may take until nothing moves any more; default 30 seconds. */
  longestUnrestMs?: Millis
}

/** How long a function may be at work in real time, unless a test says otherwise. */
export const PATIENCE_MS = 250
/** How much moved time the end of an execution is waited for, unless a test says otherwise. */
export const LONGEST_WAIT = '366d'
// So short a time is walked, timer by timer; a longer one is leapt over.
const WALK_MS = 1_000
// Leases are renewed every third of their length, give or take a tenth, so they are not much older when a leap begins: half a
// length more and they still hold, and the renewal fires at once.
const LEAPS_PER_LEASE = 2
// Real time. What does not come to rest for so long most likely never does.
const LONGEST_UNREST_MS = 30_000

export class MovedTime {
  readonly #doors: MovedTimeDoors
  readonly #processes = new Set<TimedProcess>()
  /** One step at a time, whoever asks: two tests in one would move time past each other's moments. */
  readonly #turn: TransactionMutex = createTransactionMutex()
  /** Attempts that have had their real time: they wait for the clock, or for ever. */
  readonly #waitedFor = new Set<string>()
  #hungCalls = 0
  #overdueMs: Millis = 0
  #lastSignature = ''

  constructor(doors: MovedTimeDoors) {
    this.#doors = doors
  }

  add(process: TimedProcess): void {
    this.#processes.add(process)
  }

  /** Moves time forward. What becomes due on the way is done at its moment, in its order. */
  async advance(ms: Millis): Promise<void> {
    const { clock } = this.#doors
    const endsAt = clock.monotonicNow() + ms
    await this.#inTurn(() => this.#rest())
    while (clock.monotonicNow() < endsAt) {
      await this.#inTurn(() => this.#step(endsAt))
    }
  }

  /** Moves time until the claim is true, and no further; false if it does not come true within the limit. */
  async until(isTrue: () => MaybePromise<boolean>, limitMs: Millis): Promise<boolean> {
    const { clock } = this.#doors
    const endsAt = clock.monotonicNow() + limitMs
    await this.#inTurn(() => this.#rest())
    while (!(await isTrue())) {
      if (clock.monotonicNow() >= endsAt) {
        return false
      }
      await this.#inTurn(() => this.#step(endsAt))
    }
    return true
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    await this.#turn.acquire()
    try {
      await work()
    } finally {
      this.#turn.release()
    }
  }

  /** Goes to the next moment at which something is due, and does it. */
  async #step(endsAt: Millis): Promise<void> {
    const { clock, storage } = this.#doors
    const leftMs = endsAt - clock.monotonicNow()
    if (leftMs <= 0) {
      return
    }
    const stepMs = Math.min(this.#nextInMs(await lookAhead(storage, clock.now())), leftMs)
    await this.#untilAtRest(stepMs <= WALK_MS ? clock.advance(stepMs) : clock.leap(stepMs))
    await this.#rest()
  }

  #nextInMs(ahead: Ahead): Millis {
    const { clock, timers } = this.#doors
    const now = clock.now()
    const ids = this.#runningIds()
    const runningHere = ahead.running.filter(({ executionId }) => ids.has(executionId))
    const runningNowhere = ahead.running.filter(({ executionId }) => !ids.has(executionId))
    const nextTimerAt = timers?.nextTimerAt()
    const moments = [
      ahead.nextStartAtMs ?? Infinity,
      ...runningHere.map(({ timeoutAtMs }) => timeoutAtMs),
      ...runningNowhere.map(({ lapseAtMs }) => lapseAtMs + 1),
      nextTimerAt === undefined ? Infinity : now + nextTimerAt - clock.monotonicNow(),
    ].map((at) => at - now)
    // A function whose row does not run any more is about to be told.
    const isOverdue = ahead.isOverdue || moments.some((inMs) => inMs <= 0) || ids.size > runningHere.length
    return Math.min(
      ...moments.filter((inMs) => inMs > 0),
      this.#overdueInMs(isOverdue ? ahead.signature : undefined),
      ids.size > 0 ? Math.max(1, Math.floor(this.#leaseMs() / LEAPS_PER_LEASE)) : Infinity,
    )
  }

  /** What is overdue needs a little time: a poll, a jitter, a second's grace. What never comes must not take turns without end. */
  #overdueInMs(signature: string | undefined): Millis {
    if (signature === undefined) {
      this.#overdueMs = 0
      return Infinity
    }
    this.#overdueMs = signature === this.#lastSignature ? Math.max(this.#overdueMs * 2, 1) : 1
    this.#lastSignature = signature
    return this.#overdueMs
  }

  /** Lets everything that is due come to rest: the executors, the storage's answers, and the functions at work. */
  async #rest(): Promise<void> {
    const { clock, storage } = this.#doors
    await this.#untilAtRest(clock.settle())
    await this.#waitForAnswers()
    while (this.#runningIds().size > 0) {
      const { running } = await lookAhead(storage, clock.now())
      const ids = this.#runningIds()
      const keys = running
        .filter(({ executionId }) => ids.has(executionId))
        .map(({ attemptKey }) => attemptKey)
        .filter((key) => !this.#waitedFor.has(key))
      if (keys.length === 0) {
        return
      }
      const idsBefore = [...ids].join()
      if (!(await this.#isOverInTime(() => [...this.#runningIds()].join() === idsBefore))) {
        for (const key of keys) {
          this.#waitedFor.add(key)
        }
      }
      await this.#waitForAnswers()
    }
  }

  /** Calls that are not answered for as long as patience lasts are not waited for again. */
  async #waitForAnswers(): Promise<void> {
    this.#hungCalls = Math.min(this.#hungCalls, this.#callsUnderWay())
    if (!(await this.#isOverInTime(() => this.#callsUnderWay() > this.#hungCalls))) {
      this.#hungCalls = this.#callsUnderWay()
    }
  }

  /** Waits in real time while something is so; false if patience ends first. */
  async #isOverInTime(isSo: () => boolean): Promise<boolean> {
    const { clock, patienceMs } = this.#doors
    const givenUpAt = systemClock.monotonicNow() + patienceMs
    while (isSo()) {
      if (systemClock.monotonicNow() >= givenUpAt) {
        return false
      }
      await sleep(systemClock, 1)
      await this.#untilAtRest(clock.settle())
    }
    return true
  }

  async #untilAtRest(moving: Promise<void>): Promise<void> {
    await untilAtRest(moving, this.#doors.longestUnrestMs ?? LONGEST_UNREST_MS)
  }

  #living(): Array<TimedProcess> {
    return [...this.#processes].filter((process) => !process.isDead())
  }

  #runningIds(): ReadonlySet<string> {
    return new Set(this.#living().flatMap((process) => [...process.runningIds()]))
  }

  #callsUnderWay(): number {
    return this.#living().reduce((sum, process) => sum + process.callsUnderWay(), 0)
  }

  #leaseMs(): Millis {
    return Math.min(...this.#living().map((process) => process.leaseMs))
  }
}

/** What is done again and again without a pause would keep the clock from ever coming to rest. */
async function untilAtRest(moving: Promise<void>, limitMs: Millis): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = systemClock.setTimer(limitMs, () => {
      reject(
        new TestKitError(
          `The executor did not come to rest in ${limitMs} ms of real time: something is done again and again ` +
            'without a pause, such as retries without a `baseDelayMs`',
        ),
      )
    })
    void moving.then(resolve, reject).finally(() => timer.cancel())
  })
}
