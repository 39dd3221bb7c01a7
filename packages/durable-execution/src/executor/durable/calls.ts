/**
 * The durable calls of one run: which are open, what they have to write, and when all that is left is to wait.
 *
 * A call is either at work here (a step runs, something is being written or read, a pause is too short to leave for), or it
 * waits for something outside. When no call is at work, some wait, and none was begun for one turn of the event loop, the
 * run is left: its row says what it waits for, and its memory is given back. A call that waits then never settles, so no
 * code of the user's sees it. The next run of the execution comes to the same place by what is remembered.
 */

import { type DurableExecutionError } from '../../base/errors.ts'
import { isFirstRun } from '../../machine/durable.ts'
import { callId, idPrefix } from '../../machine/records.ts'
import { handledLater, type MaybePromise } from '../../base/promise.ts'
import { type Engine } from '../engine.ts'
import { pauseAfter } from '../pause.ts'
import { type Attempt } from '../run-attempt.ts'
import { RunHistory } from './history.ts'
import { calledInside, type StepMark } from './inside.ts'
import { Moments } from './moments.ts'
import { checkName } from './names.ts'
import { calledTooLate, never, rejectedSoon } from './never.ts'
import { QuietTurn } from './quiet-turn.ts'
import { type CallsDoors } from './run-doors.ts'
import { StepsAtWork } from './steps-at-work.ts'
import { Waits } from './waits.ts'
import { type Wait } from './watch.ts'
import { Writer } from './writer.ts'

/** One call: its name, how many calls of that name came before it in this run, and its id. */
export type Call = { name: string; ordinal: number; id: string }

export class DurableCalls {
  readonly engine: Engine
  readonly attempt: Attempt
  readonly prefix: string
  readonly history: RunHistory
  readonly writer: Writer
  readonly moments: Moments
  readonly mark: StepMark = {}
  readonly #doors: CallsDoors
  readonly #ordinals = new Map<string, number>()
  readonly #waits: Waits
  /** Calls that are at work here. */
  #working = 0
  readonly #quiet: QuietTurn
  readonly #steps: StepsAtWork
  /** Whether the run is to be given back as soon as that loses nothing. */
  #isLeaving = false

  constructor(engine: Engine, attempt: Attempt, doors: CallsDoors) {
    this.engine = engine
    this.attempt = attempt
    this.#doors = doors
    this.prefix = idPrefix(attempt.row.executionId)
    this.history = new RunHistory(this.prefix, doors.records, isFirstRun(attempt.row))
    this.writer = new Writer(attempt, doors, this)
    this.moments = new Moments(engine, doors)
    this.#waits = new Waits(engine, doors, this.history)
    this.#quiet = new QuietTurn(engine.doors.clock, () => this.#check())
    this.#steps = new StepsAtWork(this)
  }

  /** Whether functions of steps are at work, which cannot be left. */
  get isStepRunning(): boolean {
    return this.#steps.areAtWork
  }

  /** Whether some call has not settled. */
  get isOpen(): boolean {
    return this.#working > 0 || this.#waits.areOpen
  }

  /** Whether some call does something here, and does not only wait. */
  get isAtWork(): boolean {
    return this.#working > 0
  }

  get isToldToLeave(): boolean {
    return this.#doors.isToldToLeave()
  }

  /**
   * Begins a call and does its work. What it comes to is given only while the run counts: a run that was left, or whose
   * lease is lost, gets no more answers.
   */
  call<T>(what: string, name: unknown, work: (call: Call) => Promise<T>): Promise<T> {
    return this.group(what, () => {
      const given = checkName(what, name)
      const ordinal = this.takeOrdinals(given, 1)
      return work({ name: given, ordinal, id: callId(this.prefix, given, ordinal) })
    })
  }

  /** The same for a call that has no name of its own. */
  group<T>(what: string, work: () => Promise<T>): Promise<T> {
    const refusal = this.#refusalOf(what)
    if (refusal !== undefined) {
      return rejectedSoon(refusal, this.engine.doors.clock)
    }
    if (!this.mayBegin()) {
      return never()
    }
    this.#quiet.noteBegun()
    this.#working += 1
    this.#checkSoon()
    const given = new Promise<T>((resolve, reject) => {
      // In a turn of its own: code that tries again at once whatever happens leaves room for others.
      const fail = (error: unknown): void => {
        this.engine.doors.clock.setImmediate(() => {
          if (this.#settles()) {
            // The code may wait for something else first, for days.
            void handledLater(given)
            reject(error)
          }
        })
      }
      try {
        // Up to its first wait it runs at once, so that ordinals follow the order of the calls.
        work().then((value) => {
          if (this.#settles()) {
            resolve(value)
          }
        }, fail)
      } catch (error) {
        fail(error)
      }
    })
    return given
  }

  /** Whether a call whose work is done gets its answer. */
  #settles(): boolean {
    if (this.#doors.isOver()) {
      return false
    }
    this.#working -= 1
    this.#checkSoon()
    return true
  }

  /** Why such a call cannot be made here and now, if it cannot. */
  #refusalOf(what: string): DurableExecutionError | undefined {
    return calledInside(this.mark, what) ?? (this.#doors.hasEnded() ? calledTooLate(what) : undefined)
  }

  /** The next ordinals of the name, for calls that are made of several. */
  takeOrdinals(name: string, count: number): number {
    const first = (this.#ordinals.get(name) ?? 0) + 1
    this.#ordinals.set(name, first + count - 1)
    return first
  }

  /** Whether work may begin now: not once the run is over, nor once it is told to leave, since that could not end here. */
  mayBegin(): boolean {
    if (this.isToldToLeave) {
      this.leaveWhenIdle()
      return false
    }
    return !this.#doors.isOver()
  }

  /** Calls the function of a step, which counts as at work until it has ended. */
  whileStep<T>(fn: () => MaybePromise<T>): MaybePromise<T> {
    return this.#steps.during(fn)
  }

  /** Waits for something outside; `begin` is given what settles the wait. */
  outside<T>(
    wait: Wait,
    begin: (settle: { resolve: (value: T) => void; reject: (error: unknown) => void }) => void,
  ): Promise<T> {
    if (this.#doors.isOver()) {
      return never()
    }
    return new Promise<T>((resolve, reject) => {
      let isSettled = false
      const settle = (fn: () => void): void => {
        if (!isSettled) {
          isSettled = true
          this.#waits.end(wait)
          this.#working += 1
          fn()
        }
      }
      this.#waits.begin(wait)
      this.#working -= 1
      this.#checkSoon()
      begin({
        resolve: (value) => settle(() => resolve(value)),
        reject: (error) => settle(() => reject(error)),
      })
    })
  }

  /** Does it again until it goes through: an outage is no failure of the task. */
  async insist<T>(work: () => Promise<T>): Promise<T> {
    for (let failures = 1; ; failures += 1) {
      try {
        return await work()
      } catch (error) {
        if (this.#doors.isOver()) {
          return await never<T>()
        }
        this.engine.logger.error(
          `What execution ${this.attempt.row.executionId} remembers could not be read yet`,
          error,
        )
      }
      await pauseAfter(failures, this.engine.doors)
    }
  }

  /** The text that a try of a step left of which nothing was heard. */
  async lookForResult({ id }: Call): Promise<string | undefined> {
    await this.insist(async () => await this.history.look([id]))
    return this.history.known(id)?.output
  }

  /** No step is at work any more. */
  stepsEnded(): void {
    this.#leaveSoon()
    this.#doors.stepsEnded()
  }

  /** Nothing is being written any more. */
  onIdle(): void {
    this.#leaveSoon()
    this.#checkSoon()
  }

  /** How many records are known. */
  known(): number {
    return this.history.size
  }

  /** The lease of the run is not held any more. */
  lose(): void {
    this.#doors.lose()
  }

  /** What another execution remembers. */
  historyOf(executionId: string): RunHistory {
    return new RunHistory(idPrefix(executionId), this.#doors.records, false)
  }

  /** The run is over: nothing is waited for any more. */
  end(): void {
    this.moments.clear()
    this.#waits.clear()
  }

  /** The run is given back, since the executor stops: once its steps have ended, and what they came to is written. */
  leaveWhenIdle(): void {
    this.#isLeaving = true
    this.#leaveSoon()
  }

  #leaveSoon(): void {
    if (!this.#isLeaving) {
      return
    }
    // What has just ended is handed to the writer within this turn.
    this.engine.doors.clock.setImmediate(() => {
      if (this.#doors.isOver() || this.#steps.areAtWork) {
        return
      }
      this.writer.flush()
      if (!this.writer.isWriting) {
        const { row, lease } = this.attempt
        this.#doors.leave({ kind: 'released', executionId: row.executionId, lease })
      }
    })
  }

  #checkSoon(): void {
    // Whoever begins to wait has this called.
    if (this.#waits.areOpen && !this.#doors.isOver()) {
      this.#quiet.await()
    }
  }

  #check(): void {
    if (this.#doors.isOver() || this.#doors.hasEnded() || !this.#waits.areOpen) {
      return
    }
    if (this.#working > 0 || this.writer.isWriting) {
      // Children are to begin, and what is waited for may come, while a step is at work.
      this.writer.flush()
      this.#waits.watch()
      return
    }
    const { row, lease } = this.attempt
    const waitsFor = this.#waits.suspensions()
    const { executionId } = row
    this.#doors.leave({ kind: 'suspended', executionId, lease, waitsFor, ...this.writer.take() })
  }
}
