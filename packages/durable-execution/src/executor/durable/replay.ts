/** Runs a function once more over what an execution remembers, and does nothing new. */

import { fromErrorStorageObject } from '../../base/errors.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { wasCancelledByParent } from '../../machine/parent.ts'
import { callId, idPrefix, signalId, timeoutId, tryId } from '../../machine/records.ts'
import { type DurableCode, type DurableStepOptions } from '../../task/durable-context.ts'
import { resolveStepOptions } from '../../task/durable-options.ts'
import { type DurableCalls, never } from './calls.ts'
import { errorOfChild } from './children.ts'
import { type RunHistory } from './history.ts'
import { timedOutError } from './signals.ts'
import { type StepFunction } from './step.ts'

/** What was registered to be undone. */
export type Registered = {
  id: string
  name: string
  fn: StepFunction<unknown>
  options: DurableStepOptions | null | undefined
}

/** What a call gave then; undefined if it had given nothing when the execution ended. */
type Given = { value: unknown } | { error: unknown } | undefined

type NamedChild = { task: { id: string }; options?: { name?: string | null } | null }

export class Replay {
  readonly code: DurableCode
  readonly registered: Array<Registered> = []
  readonly #calls: DurableCalls
  readonly #history: RunHistory
  readonly #row: ExecutionRow
  readonly #prefix: string
  readonly #ordinals = new Map<string, number>()
  readonly #taken = new Map<string, number>()
  #isOver = false
  #onOver = (): void => {}

  constructor(calls: DurableCalls, history: RunHistory, row: ExecutionRow) {
    this.#calls = calls
    this.#history = history
    this.#row = row
    this.#prefix = idPrefix(row.executionId)
    this.code = this.#createCode()
  }

  /** Runs the function until it ends, or calls what has no answer. */
  async untilOver(run: () => Promise<unknown>): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onOver = resolve
      run().then(
        () => this.#end(),
        () => this.#end(),
      )
    })
  }

  #end(): void {
    this.#isOver = true
    this.#onOver()
  }

  #createCode(): DurableCode {
    const code: { [Name in keyof DurableCode]: (...given: Array<never>) => Promise<unknown> } = {
      step: (name: string, _fn: unknown, options?: unknown) =>
        this.#answer(async () => await this.#step(this.#idOf(name), name, options)),
      sleep: (name: string) => this.#answer(async () => await this.#sleep(this.#idOf(name))),
      waitForSignal: (name: string) => this.#answer(async () => await this.#wait(name, this.#idOf(name))),
      runTask: (task: NamedChild['task'], _input: unknown, options?: NamedChild['options']) =>
        this.#answer(async () => {
          const outputs = await this.#children([{ task, options: options ?? null }])
          return outputs !== undefined && 'value' in outputs ? { value: outputs.value[0] } : outputs
        }),
      runTasks: (children: ReadonlyArray<NamedChild>) =>
        this.#answer(async () => await this.#children(children)),
      compensate: (name: string, fn: StepFunction<unknown>, options?: DurableStepOptions | null) =>
        this.#answer(async () => {
          const id = this.#idOf(name)
          if ((await this.#read(id)) === undefined) {
            return undefined
          }
          this.registered.push({ id, name, fn, options })
          return { value: undefined }
        }),
      setState: () => this.#answer(() => Promise.resolve({ value: undefined })),
    }
    return code as unknown as DurableCode
  }

  /** What the call gave then; nothing any more once one had no answer. */
  async #answer(find: () => Promise<Given>): Promise<unknown> {
    const given = this.#isOver ? undefined : await find()
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
    const { maxAttempts } = resolveStepOptions(name, options).retryOptions
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

  async #wait(name: string, id: string): Promise<Given> {
    if ((await this.#read(timeoutId(id))) !== undefined) {
      return { error: timedOutError(name) }
    }
    const ordinal = (this.#taken.get(name) ?? 0) + 1
    this.#taken.set(name, ordinal)
    const signal = await this.#read(signalId(this.#prefix, name, ordinal))
    return signal === undefined ? undefined : this.#value(signal.output)
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
