/** Looks over the shoulder of durable code: what it does and is given is compared with what is committed at that moment. */

import { type Millis } from '../../base/clock.ts'
import { createDefaultSerializer } from '../../base/serializer.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { isFinishedStatus } from '../../machine/status.ts'
import { callId, compensationId, idPrefix, signalId, timeoutId, tryId } from '../../machine/records.ts'
import { type DurableTaskRunContext } from '../../task/context.ts'
import { type DurableStepContext } from '../../task/durable-context.ts'

type Rows = ReadonlyMap<string, ExecutionRow>

/** What the witness is told of the world. */
export type FlowWitnessOptions = {
  rows: () => Rows
  /** The process that claimed the execution last. */
  holderOf: (executionId: string) => string | undefined
  /** A function began. */
  started: (by: string, executionId: string) => void
  /** The true time as executors take it, and how far they may be off. */
  now: () => Millis
  toleranceMs: Millis
  report: (executionId: string, sentence: string) => void
}

/** A signal that a run waits for, for as long as it takes. */
export type OpenWait = { executionId: string; waitId: string; name: string; nth: number }

const serializer = createDefaultSerializer()

/** What all runs of a simulation saw. */
export class FlowWitness {
  readonly options: FlowWitnessOptions
  /** What each call gave, when it gave it first. */
  readonly given: Map<string, string> = new Map()
  readonly #open = new Map<string, OpenWait>()
  readonly #replays = new Set<string>()
  #tokens = 0

  constructor(options: FlowWitnessOptions) {
    this.options = options
  }

  /** A run of durable code begins in the process. */
  begin(by: string, context: DurableTaskRunContext): FlowRun {
    const run = new FlowRun(this, by, context)
    // To find out what is to be undone the function is run as in each attempt; and on, by who has lost the lease meanwhile.
    const isKnown = run.isReplay && (!run.isCurrent || this.#replays.has(run.leaseName))
    if (!isKnown) {
      this.options.started(by, run.runId)
      this.#replays.add(run.leaseName)
    }
    return run
  }

  /** A number that no call gave before. */
  newToken(): number {
    this.#tokens += 1
    return this.#tokens
  }

  waits(wait: OpenWait): void {
    this.#open.set(wait.waitId, wait)
  }

  hasEndedWaiting(wait: OpenWait): void {
    this.#open.delete(wait.waitId)
  }

  /** The waits that need a signal that nobody has sent. */
  unanswered(): Array<OpenWait> {
    const rows = this.options.rows()
    return [...this.#open.values()].filter(({ executionId, name, nth }) => {
      const row = rows.get(executionId)
      const isActive = row !== undefined && !isFinishedStatus(row.status)
      return isActive && !rows.has(signalId(idPrefix(executionId), name, nth))
    })
  }
}

/** One run of the function of durable code; or a run over what an execution remembers, to find out what is to be undone. */
export class FlowRun {
  readonly executionId: string
  /** The execution that is run: the one that undoes, where that is what is done. */
  readonly runId: string
  readonly isReplay: boolean
  readonly #witness: FlowWitness
  readonly #prefix: string
  readonly #attempt: number
  readonly #startedAt: Millis
  readonly #ordinals = new Map<string, number>()
  readonly #signals = new Map<string, number>()
  readonly #taken = new Set<string>()
  /** How many calls wait for each signal. */
  readonly #waiting = new Map<string, number>()

  constructor(witness: FlowWitness, by: string, context: DurableTaskRunContext) {
    const { executionId } = context
    this.#witness = witness
    this.executionId = executionId
    this.#prefix = idPrefix(executionId)
    this.#attempt = context.attempt
    const undoing = this.#row(compensationId(this.#prefix))
    // Who undoes has the token of its own claim, which is later than the last run of the execution, or is of a clock that is behind.
    const token = context.fencingToken
    this.isReplay =
      undoing !== undefined && (token === startOf(undoing) || token > startOf(this.#row(executionId)))
    this.runId = this.isReplay && undoing !== undefined ? undoing.executionId : executionId
    const isHeld = witness.options.holderOf(this.runId) === by
    this.#startedAt = this.isReplay ? (isHeld ? startOf(undoing) : NaN) : context.fencingToken
  }

  /** Names the claim that it belongs to. */
  get leaseName(): string {
    return `${this.runId} ${this.#startedAt}`
  }

  /** Whether it is the run of the claim that holds the execution. */
  get isCurrent(): boolean {
    const row = this.#row(this.runId)
    return row?.status === 'running' && startOf(row) === this.#startedAt
  }

  /** The id of the next call of that name. */
  next(name: string): string {
    const ordinal = (this.#ordinals.get(name) ?? 0) + 1
    this.#ordinals.set(name, ordinal)
    return callId(this.#prefix, name, ordinal)
  }

  /** The function of a step was called; gives what it has to return. */
  calls({ idempotencyKey, attempt }: DurableStepContext, value: number): { value: number; token: number } {
    if (this.isReplay) {
      this.#report(`to find out what is to be undone, ${idempotencyKey} was called`)
    }
    this.#calls(idempotencyKey, this.#attempt, attempt)
    return { value, token: this.#witness.newToken() }
  }

  /** Something is undone. */
  undoes({ idempotencyKey, attempt }: DurableStepContext): void {
    if (!this.isReplay) {
      this.#report(`${idempotencyKey} was called by a run that undoes nothing`)
    }
    this.#calls(idempotencyKey, this.#row(this.runId)?.retryAttempts ?? 0, attempt)
  }

  /** A step gave a value. */
  sawStep(stepId: string, value: unknown): void {
    this.#sawText(stepId, serializer.serialize(value), this.#row(stepId)?.output, `${stepId} gave`)
  }

  /** A step failed at its last try, of that number. */
  sawFailure(stepId: string, number: number): void {
    if (this.#row(tryId(stepId, this.#attempt, number)) === undefined) {
      this.#report(`${stepId} failed at its try ${number}, which is not recorded`)
    }
  }

  /** A sleep is over. */
  sawSleep(sleepId: string): void {
    const until = this.#row(sleepId)?.startAt.getTime() ?? -Infinity
    const { now, toleranceMs } = this.#witness.options
    if (!this.isReplay && until > now() + toleranceMs) {
      this.#report(`${sleepId} was over ${until - now()} ms too early`)
    }
  }

  /** A wait begins; the result is to be told how it ended. */
  waits(name: string, isForEver: boolean): { got: (payload: unknown) => void; timedOut: () => void } {
    const waitId = this.next(name)
    const nth = (): number => (this.#signals.get(name) ?? 0) + 1
    const open = { executionId: this.executionId, waitId, name, nth: nth() + this.#wait(name, 1) - 1 }
    if (isForEver && this.isCurrent) {
      this.#witness.waits(open)
    }
    return {
      got: (payload) => {
        this.#witness.hasEndedWaiting(open)
        this.#wait(name, -1)
        this.#signals.set(name, nth())
        const text = serializer.serialize(payload)
        this.#sawText(waitId, text, this.#takeSignal(name, text), `${waitId} got`)
      },
      timedOut: () => {
        this.#wait(name, -1)
        const record = this.#row(timeoutId(waitId))
        this.#sawText(waitId, 'nothing', record === undefined ? undefined : 'nothing', `${waitId} got`)
      },
    }
  }

  /** The text, if a signal has it that no other wait of this run got. Waits side by side may hear of theirs in any order. */
  #takeSignal(name: string, text: string): string | undefined {
    for (let nth = 1; ; nth += 1) {
      const id = signalId(this.#prefix, name, nth)
      const row = this.#row(id)
      if (row === undefined) {
        return undefined
      }
      if (row.output === text && !this.#taken.has(id)) {
        this.#taken.add(id)
        return text
      }
    }
  }

  #wait(name: string, added: number): number {
    const count = (this.#waiting.get(name) ?? 0) + added
    this.#waiting.set(name, count)
    return count
  }

  /** Children gave their outputs. */
  sawChildren(childIds: ReadonlyArray<string>, outputs: ReadonlyArray<unknown>): void {
    for (const [index, childId] of childIds.entries()) {
      const row = this.#row(childId)
      const kept = row?.status === 'completed' && row.isClosed ? row.output : undefined
      this.#sawText(childId, serializer.serialize(outputs[index]), kept, `child ${childId} gave`)
    }
  }

  /** One of the children failed. */
  sawFailedChild(childIds: ReadonlyArray<string>, failedId: string): void {
    const row = this.#row(failedId)
    const hasFailed = row !== undefined && isFinishedStatus(row.status) && row.status !== 'completed'
    if (!childIds.includes(failedId) || !hasFailed) {
      this.#report(`the code was told that child ${failedId} has failed, and it is ${row?.status}`)
    }
  }

  #calls(stepId: string, attempt: number, number: number): void {
    // A run that has lost its lease, and does not know it yet, may do again what others have done.
    if (!this.isCurrent) {
      return
    }
    if (this.#row(stepId) !== undefined) {
      this.#report(`${stepId} was called again, and had its result`)
    }
    if (this.#row(tryId(stepId, attempt, number)) !== undefined) {
      this.#report(`try ${number} of ${stepId} was made again, and had failed`)
    }
    if (number > 0 && this.#row(tryId(stepId, attempt, number - 1)) === undefined) {
      this.#report(`try ${number} of ${stepId} was made, and the one before is not recorded`)
    }
  }

  /** What the code sees is what is recorded, and what it saw before. */
  #sawText(id: string, text: string, kept: string | undefined, what: string): void {
    if (text !== kept) {
      this.#report(`${what} ${text}, and ${kept ?? 'nothing'} is recorded`)
    }
    const before = this.#witness.given.get(id) ?? text
    if (before !== text) {
      this.#report(`${what} ${before}, and in a later run ${text}`)
    }
    if (this.isCurrent) {
      this.#witness.given.set(id, text)
    }
  }

  #row(executionId: string): ExecutionRow | undefined {
    return this.#witness.options.rows().get(executionId)
  }

  #report(sentence: string): void {
    this.#witness.options.report(this.executionId, sentence)
  }
}

function startOf(row: ExecutionRow | undefined): Millis {
  return row?.startedAt?.getTime() ?? NaN
}
