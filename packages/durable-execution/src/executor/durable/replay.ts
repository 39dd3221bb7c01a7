/** Runs a function once more over what an execution remembers, and does nothing new. */

import { type Millis } from '../../base/clock.ts'
import { fromErrorStorageObject } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { wasCancelledByParent } from '../../machine/parent.ts'
import { callId, idPrefix, signalId, timeoutId, tryId } from '../../machine/records.ts'
import { type DurableCode, type DurableStepOptions } from '../../task/durable-context.ts'
import { resolveStepOptions, resolveWaitOptions } from '../../task/durable-options.ts'
import { type DurableCalls } from './calls.ts'
import { errorOfChild } from './children.ts'
import { type RunHistory } from './history.ts'
import { calledInside } from './inside.ts'
import { never } from './never.ts'
import { payloadOf, timedOutError } from './signals.ts'
import { type StepFunction } from './step.ts'

/** What was registered to be undone. */
export type Registered = {
  name: string
  fn: StepFunction<unknown>
  options: DurableStepOptions | null | undefined
}

/** What a call gave then; undefined if it had given nothing when the execution ended. */
type Given = { value: unknown } | { error: unknown } | undefined

type NamedChild = { task: { id: string }; options?: { name?: string | null } | null }

export class Replay {
  readonly code: DurableCode
  readonly #calls: DurableCalls
  readonly #history: RunHistory
  readonly #row: ExecutionRow
  /** The ids of what was registered on this way, in its order. */
  readonly order: Array<string> = []
  readonly #registered: Map<string, Registered>
  readonly #prefix: string
  readonly #ordinals = new Map<string, number>()
  readonly #taken = new Map<string, number>()
  #isOver = false
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
    this.#row = row
    this.#registered = registered
    this.#prefix = idPrefix(row.executionId)
    this.code = this.#createCode()
  }

  /**
   * Runs the function until it ends, or calls what has no answer; or until it hangs, as one may that timed out: until it has
   * called nothing for a while, though all is registered that there is to undo, or half of the time is over.
   */
  async untilOver(run: () => Promise<unknown>, timeoutMs: Millis): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onOver = resolve
      run().then(
        () => this.#end(),
        () => this.#end(),
      )
      const { now } = this.#calls.engine.store
      this.#endIfHanging(Math.min(LIMITS.replayPauseMs, timeoutMs / 4), now() + timeoutMs / 2)
    })
  }

  #endIfHanging(pauseMs: Millis, latestAt: Millis): void {
    const { engine, moments } = this.#calls
    const asked = this.#asked
    moments.at(engine.store.now() + pauseMs, () => {
      const isQuiet = this.#asked === asked && this.#answering === 0
      if (isQuiet && (this.#hasAll() || engine.store.now() >= latestAt)) {
        this.#end()
      } else if (!this.#isOver) {
        this.#endIfHanging(pauseMs, latestAt)
      }
    })
  }

  /** Whether all is registered, as far as it was read what there is. */
  #hasAll(): boolean {
    return this.#history.isWhole && this.#registered.size >= this.#history.countCompensations()
  }

  #end(): void {
    this.#isOver = true
    this.#onOver()
  }

  #createCode(): DurableCode {
    const stepLike =
      (what: string) =>
      (name: string, _fn: unknown, options?: unknown): Promise<unknown> =>
        this.#answer(what, async () => await this.#step(this.#idOf(name), name, options))
    const code: { [Name in keyof DurableCode]: (...given: Array<never>) => Promise<unknown> } = {
      step: stepLike('step'),
      transaction: stepLike('transaction'),
      sleep: (name: string) => this.#answer('sleep', async () => await this.#sleep(this.#idOf(name))),
      waitForSignal: (name: string, options?: unknown) =>
        this.#answer('waitForSignal', async () => await this.#wait(name, this.#idOf(name), options)),
      runTask: (task: NamedChild['task'], _input: unknown, options?: NamedChild['options']) =>
        this.#answer('runTask', async () => {
          const outputs = await this.#children([{ task, options: options ?? null }])
          return outputs !== undefined && 'value' in outputs ? { value: outputs.value[0] } : outputs
        }),
      runTasks: (children: ReadonlyArray<NamedChild>) =>
        this.#answer('runTasks', async () => await this.#children(children)),
      compensate: (name: string, fn: StepFunction<unknown>, options?: DurableStepOptions | null) =>
        this.#answer('compensate', async () => {
          const id = this.#idOf(name)
          if ((await this.#read(id)) === undefined) {
            return undefined
          }
          // It knows what the last attempt knew.
          this.#registered.set(id, { name, fn, options })
          this.order.push(id)
          return { value: undefined }
        }),
      setState: () => this.#answer('setState', () => Promise.resolve({ value: undefined })),
    }
    return code as unknown as DurableCode
  }

  /** What the call gave then; nothing any more once one had no answer. */
  async #answer(what: string, find: () => Promise<Given>): Promise<unknown> {
    const refusal = calledInside(this.#calls.mark, what)
    if (refusal !== undefined) {
      throw refusal
    }
    this.#asked += 1
    this.#answering += 1
    let given: Given
    try {
      given = this.#isOver ? undefined : await find()
    } finally {
      this.#answering -= 1
    }
    if (given === undefined || this.#isOver) {
      this.#end()
      return await never()
    }
    if ('error' in given) {
      throw given.error as Error
    }
    return given.value
  }

  #idOf(name: string): string {
    const ordinal = (this.#ordinals.get(name) ?? 0) + 1
    this.#ordinals.set(name, ordinal)
    return callId(this.#prefix, name, ordinal)
  }

  async #read(executionId: string): Promise<ExecutionRow | undefined> {
    const [row] = await this.#calls.insist(async () => await this.#history.get([executionId]))
    return row
  }

  #value(text: string | undefined): { value: unknown } {
    return { value: this.#calls.engine.serializer.deserialize(text ?? '') }
  }

  async #step(id: string, name: string, options: unknown): Promise<Given> {
    const { maxAttempts } = resolveStepOptions(`step ${name}`, options).retryOptions
    const failed = await this.#lastFailure(id, this.#row.retryAttempts, maxAttempts)
    // A later attempt may have done what failed in this one.
    if (failed !== undefined) {
      return failed
    }
    const done = await this.#read(id)
    return done === undefined ? undefined : this.#value(done.output)
  }

  /** The error of the step in that attempt, if it had no try left. */
  async #lastFailure(id: string, attempt: number, maxAttempts: number): Promise<Given> {
    for (let number = 0; ; number += 1) {
      const failed = await this.#read(tryId(id, attempt, number))
      if (failed?.error === undefined) {
        return undefined
      }
      if (!failed.error.isRetryable || number >= maxAttempts) {
        return { error: fromErrorStorageObject(failed.error) }
      }
    }
  }

  async #sleep(id: string): Promise<Given> {
    const sleep = await this.#read(id)
    if (sleep === undefined) {
      return undefined
    }
    const { startAt } = sleep
    // Who ended it may have another time than who slept: so far apart clocks may be.
    const endedBy = (this.#row.finishedAt ?? startAt).getTime() + this.#calls.engine.options.expireMs / 3
    return startAt.getTime() <= endedBy ? { value: undefined } : undefined
  }

  async #wait(name: string, id: string, options: unknown): Promise<Given> {
    if ((await this.#read(timeoutId(id))) !== undefined) {
      return { error: timedOutError(name) }
    }
    const ordinal = (this.#taken.get(name) ?? 0) + 1
    this.#taken.set(name, ordinal)
    const signal = await this.#read(signalId(this.#prefix, name, ordinal))
    if (signal === undefined) {
      return undefined
    }
    const { validate } = resolveWaitOptions(name, options)
    try {
      return { value: await payloadOf(this.#calls, name, signal.output ?? '', validate) }
    } catch (error) {
      return { error }
    }
  }

  async #children(
    children: ReadonlyArray<NamedChild>,
  ): Promise<{ value: Array<unknown> } | { error: unknown } | undefined> {
    const ids = children.map(({ task, options }) => this.#idOf(options?.name ?? task.id))
    const rows = await this.#calls.insist(async () => await this.#history.get(ids))
    const ended = rows.filter((row) => row?.isClosed === true && !wasCancelledByParent(row))
    // The first that fails decides, as it did then: its siblings may have been at work until the parent ended.
    const failed = ended.find((row) => row?.status !== 'completed')
    if (failed !== undefined) {
      return { error: errorOfChild(failed) }
    }
    if (ended.length < rows.length) {
      return undefined
    }
    return { value: ended.map((row) => this.#value(row?.output).value) }
  }
}
