/** What the calls of an execution that has ended gave, by what it remembers. */

import { fromErrorStorageObject } from '../../base/errors.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { wasCancelledByParent } from '../../machine/parent.ts'
import { idPrefix, signalId, timeoutId, tryId } from '../../machine/records.ts'
import { type DurableChildTask } from '../../task/define.ts'
import { type ResolvedStepOptions, resolveWaitOptions } from '../../task/durable-options.ts'
import { type Call, type DurableCalls } from './calls.ts'
import { errorOfChild, prepareMissing } from './children.ts'
import { type RunHistory } from './history.ts'
import { checkKind } from './names.ts'
import { payloadOf, timedOutError } from './signals.ts'

/** What a call gave then; undefined if it had given nothing when the execution ended. */
export type Given<T = unknown> = { value: T } | { error: unknown } | undefined

export class Remembered {
  readonly #calls: DurableCalls
  readonly #history: RunHistory
  readonly #row: ExecutionRow
  readonly #taken = new Map<string, Promise<number>>()

  /** `row`: the execution, as its attempt of that number saw it. */
  constructor(calls: DurableCalls, history: RunHistory, row: ExecutionRow) {
    this.#calls = calls
    this.#history = history
    this.#row = row
  }

  async step(call: Call, { retryOptions }: ResolvedStepOptions): Promise<Given> {
    const failed = await this.#lastFailure(call.id, retryOptions.maxAttempts)
    // A later attempt may have done what failed in this one.
    if (failed !== undefined) {
      return failed
    }
    const done = await this.#read(call.id)
    checkKind(done, '#step', call, this.#row.executionId)
    return done === undefined ? undefined : this.#value(done.output)
  }

  async sleep(call: Call): Promise<Given> {
    const sleep = await this.#read(call.id)
    checkKind(sleep, '#sleep', call, this.#row.executionId)
    if (sleep === undefined) {
      return undefined
    }
    const { startAt } = sleep
    // Who ended it may have another time than who slept: so far apart clocks may be.
    const endedBy = (this.#row.finishedAt ?? startAt).getTime() + this.#calls.engine.options.expireMs / 3
    return startAt.getTime() <= endedBy ? { value: undefined } : undefined
  }

  async wait({ id, name }: Call, options: unknown): Promise<Given> {
    const { validate } = resolveWaitOptions(name, options)
    const timeout = this.#read(timeoutId(id))
    // In the order of the calls, and not in that in which reads are answered.
    const before = this.#taken.get(name) ?? Promise.resolve(0)
    const taken = before.then(async (count) => ((await timeout) === undefined ? count + 1 : count))
    this.#taken.set(name, taken)
    if ((await timeout) !== undefined) {
      return { error: timedOutError(name) }
    }
    const signal = await this.#read(signalId(idPrefix(this.#row.executionId), name, await taken))
    return signal === undefined
      ? undefined
      : { value: await payloadOf(this.#calls, name, signal.output ?? '', validate) }
  }

  async children(batch: ReadonlyArray<Call & { child: DurableChildTask }>): Promise<Given<Array<unknown>>> {
    const ids = batch.map(({ id }) => id)
    const rows = await this.#calls.insist(async () => await this.#history.get(ids))
    const parent = { ...this.#calls.attempt, row: this.#row }
    await prepareMissing(this.#calls.engine, parent, batch, rows)
    const ended = rows.filter((row) => row?.isClosed === true && !wasCancelledByParent(row))
    // The first that fails decides, as it did then: its siblings may have been at work until the parent ended.
    const failed = ended.find((row) => row?.status !== 'completed')
    if (failed !== undefined) {
      return { error: errorOfChild(failed) }
    }
    return ended.length < rows.length
      ? undefined
      : { value: ended.map((row) => this.#value(row?.output).value) }
  }

  /** Whether it was registered. */
  async compensation(call: Call): Promise<boolean> {
    const registered = await this.#read(call.id)
    checkKind(registered, '#compensate', call, this.#row.executionId)
    return registered !== undefined
  }

  async #read(executionId: string): Promise<ExecutionRow | undefined> {
    const [row] = await this.#calls.insist(async () => await this.#history.get([executionId]))
    return row
  }

  #value(text: string | undefined): { value: unknown } {
    return { value: this.#calls.engine.serializer.deserialize(text ?? '') }
  }

  /** The error of the step in this attempt, if it had no try left. */
  async #lastFailure(stepId: string, maxAttempts: number): Promise<Given> {
    for (let number = 0; ; number += 1) {
      const failed = await this.#read(tryId(stepId, this.#row.retryAttempts, number))
      if (failed?.error === undefined) {
        return undefined
      }
      if (!failed.error.isRetryable || number >= maxAttempts) {
        return { error: fromErrorStorageObject(failed.error) }
      }
    }
  }
}
