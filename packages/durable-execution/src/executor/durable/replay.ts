/** Runs a function once more over what an execution remembers, and does nothing new. */

import { type Millis } from '../../base/clock.ts'
import { LIMITS } from '../../base/limits.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { callId, idPrefix } from '../../machine/records.ts'
import { type DurableCode, type DurableStepOptions } from '../../task/durable-context.ts'
import { resolveSleepUntil } from '../../task/durable-options.ts'
import { type Call, type DurableCalls } from './calls.ts'
import { checkChildren, checkState, checkStep } from './given.ts'
import { type RunHistory } from './history.ts'
import { calledInside } from './inside.ts'
import { checkName } from './names.ts'
import { never } from './never.ts'
import { QuietTurn } from './quiet-turn.ts'
import { type Given, Remembered } from './remembered.ts'
import { type StepFunction } from './step.ts'

/** What was registered to be undone. */
export type Registered = {
  name: string
  ordinal: number
  fn: StepFunction<unknown>
  options: DurableStepOptions | null | undefined
}

export class Replay {
  readonly code: DurableCode
  readonly #calls: DurableCalls
  readonly #history: RunHistory
  readonly #remembered: Remembered
  readonly #registered: Map<string, Registered>
  readonly #prefix: string
  readonly #ordinals = new Map<string, number>()
  readonly #quiet: QuietTurn
  /** The ids of what was asked to be registered, in the order of the calls; undefined for what was not. */
  readonly #order: Array<string | undefined> = []
  #isOver = false
  /** Whether the function has ended. What it did not wait for is answered all the same: it may have come further then. */
  #hasEnded = false
  /** Whether some call has no answer: others go on beside it. */
  #isStuck = false
  /** How many calls were made, and how many of them are being answered. */
  #asked = 0
  #answering = 0
  #onOver = (): void => {}

  /** What is registered is added to `registered`, by its id. */
  constructor(
    calls: DurableCalls,
    history: RunHistory,
    row: ExecutionRow,
    registered: Map<string, Registered>,
  ) {
    this.#calls = calls
    this.#history = history
    this.#remembered = new Remembered(calls, history, row)
    this.#registered = registered
    this.#prefix = idPrefix(row.executionId)
    this.code = this.#createCode()
    this.#quiet = new QuietTurn(calls.engine.doors.clock, () => {
      if (this.#answering === 0 && (this.#hasEnded || this.#hasAll())) {
        this.#end()
      }
    })
  }

  /**
   * Runs the function until it ends, or waits for what has no answer, in all of its branches. Whether it does something else
   * meanwhile cannot be seen: it is left when all is registered that there is to undo, else when it has called nothing for a
   * while; and one that waits for something else, as one may that timed out, when half of the time is over.
   */
  async untilOver(run: () => Promise<unknown>, timeoutMs: Millis): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onOver = resolve
      const onEnded = (): void => {
        this.#hasEnded = true
        this.#quiet.await()
      }
      run().then(onEnded, onEnded)
      const { now } = this.#calls.engine.store
      this.#endIfHanging(Math.min(LIMITS.replayPauseMs, timeoutMs / 4), now() + timeoutMs / 2)
    })
  }

  #endIfHanging(pauseMs: Millis, latestAt: Millis): void {
    const { engine, moments } = this.#calls
    const asked = this.#asked
    moments.at(engine.store.now() + pauseMs, () => {
      const isQuiet = this.#asked === asked && this.#answering === 0
      if (isQuiet && (this.#isStuck || this.#hasAll() || engine.store.now() >= latestAt)) {
        this.#end()
      } else if (!this.#isOver) {
        this.#endIfHanging(pauseMs, latestAt)
      }
    })
  }

  /** The ids of what was registered on this way, in its order. */
  get order(): Array<string> {
    return this.#order.filter((id) => id !== undefined)
  }

  /** Whether all is registered, as far as it was read what there is. */
  #hasAll(): boolean {
    return this.#history.isWhole && this.#registered.size >= this.#history.countCompensations()
  }

  #end(): void {
    this.#isOver = true
    this.#onOver()
  }

  // What a call is given is checked as it was then: what was refused was not remembered, and the code may have gone on.
  #createCode(): DurableCode {
    const remembered = this.#remembered
    const stepLike = (what: 'step' | 'transaction') => (name: unknown, fn: unknown, options: unknown) =>
      this.#answer(what, async () => {
        const call = this.#take(what, name)
        return await remembered.step(call, checkStep(what, call.name, fn, options))
      })
    const code: { [Name in keyof DurableCode]: (...given: Array<never>) => Promise<unknown> } = {
      step: stepLike('step'),
      transaction: stepLike('transaction'),
      sleep: (name: unknown, msOrDate: unknown) =>
        this.#answer('sleep', async () => {
          const call = this.#take('sleep', name)
          resolveSleepUntil(call.name, msOrDate, this.#calls.engine.store.now())
          return await remembered.sleep(call)
        }),
      waitForSignal: (name: unknown, options: unknown) =>
        this.#answer(
          'waitForSignal',
          async () => await remembered.wait(this.#take('waitForSignal', name), options),
        ),
      runTask: async (task: unknown, input: unknown, options: unknown) => {
        const [output] = await this.#runTasks('runTask', [{ task, input, options }])
        return output
      },
      runTasks: (children: unknown) => this.#runTasks('runTasks', children),
      compensate: (name: unknown, fn: unknown, options: DurableStepOptions | null | undefined) =>
        this.#answer('compensate', async () => {
          const call = this.#take('compensate', name)
          // Reads may be answered in another order than that of the calls.
          const place = this.#order.push(undefined) - 1
          checkStep('compensation', call.name, fn, options)
          if (!(await remembered.compensation(call))) {
            return undefined
          }
          // It knows what the last attempt knew.
          this.#registered.set(call.id, {
            name: call.name,
            ordinal: call.ordinal,
            fn: fn as StepFunction<unknown>,
            options,
          })
          this.#order[place] = call.id
          return { value: undefined }
        }),
      setState: (state: unknown) =>
        this.#answer('setState', async () => {
          checkState(this.#calls, state)
          return await Promise.resolve({ value: undefined })
        }),
    }
    return code as unknown as DurableCode
  }

  #runTasks(what: string, children: unknown): Promise<Array<unknown>> {
    return this.#answer(what, async () => {
      const asked = checkChildren(what, children)
      return await this.#remembered.children(
        asked.map(({ name, child }) => ({ ...this.#take(what, name), child })),
      )
    })
  }

  /** What the call gave then; nothing where it had no answer. */
  async #answer<T>(what: string, find: () => Promise<Given<T>>): Promise<T> {
    const refusal = calledInside(this.#calls.mark, what)
    if (refusal !== undefined) {
      throw refusal
    }
    this.#asked += 1
    this.#quiet.noteBegun()
    this.#answering += 1
    const given = this.#isOver ? undefined : await find().catch((error: unknown) => ({ error }))
    this.#answering -= 1
    this.#isStuck ||= given === undefined
    if (this.#isStuck || this.#hasEnded) {
      this.#quiet.await()
    }
    if (given === undefined || this.#isOver) {
      return await never()
    }
    if ('error' in given) {
      throw given.error as Error
    }
    return given.value
  }

  #take(what: string, given: unknown): Call {
    const name = checkName(what, given)
    const ordinal = (this.#ordinals.get(name) ?? 0) + 1
    this.#ordinals.set(name, ordinal)
    return { name, ordinal, id: callId(this.#prefix, name, ordinal) }
  }
}
