/** Steps whose writes and whose result are committed together, in the user's own database. */

import { createCancellablePromise } from '../../base/cancel.ts'
import { DurableExecutionError, messageOf } from '../../base/errors.ts'
import { checkPayload } from '../../base/payload.ts'
import { type MaybePromise } from '../../base/promise.ts'
import { type Remembered, rememberShared, type Share } from '../../store/share.ts'
import { hasCode, isOfTheMoment, isStorageThere } from '../../store/transact.ts'
import { type DurableStepContext } from '../../task/durable-context.ts'
import { type ResolvedStepOptions } from '../../task/durable-options.ts'
import { type Call, type DurableCalls } from './calls.ts'
import { never } from './never.ts'
import { pauseAfter } from '../pause.ts'
import { callInTime, runTries, type Work } from './step.ts'

// So many failures of what is ours to write, while the storage is there, convict what is written.
const FAILURES_OF_WRITING = 3

export type TransactionFunction<T> = (transaction: object, step: DurableStepContext) => MaybePromise<T>

/** Gives the result of the transaction: what is remembered, or what the function comes to now. */
export async function runTransaction<T>(
  calls: DurableCalls,
  call: Call,
  fn: TransactionFunction<T>,
  options: ResolvedStepOptions,
): Promise<T> {
  return await runTries<T>(calls, call, options, () => {
    const share = calls.engine.share()
    if (share === undefined) {
      throw new DurableExecutionError(
        'ctx.transaction is not supported by this storage. Use ctx.step, or a storage that shares your database: SQLite or Postgres.',
        false,
      )
    }
    const transaction = new Transaction(calls, call, share)
    const work: Work = {
      perform: async (number) =>
        await transaction.perform(
          async (shared) =>
            await callInTime(calls, call, (step) => fn(shared, step), number, options, 'transaction'),
        ),
      // It was, in the transaction.
      remember: () => Promise.resolve(),
    }
    return work
  })
}

// Around the function alone: one that goes on though its time is over is still no place for calls.
class Transaction {
  readonly #calls: DurableCalls
  readonly #call: Call
  readonly #share: Share
  /** Whether a try may have been committed of which nothing was heard. */
  #mayBeKept = false

  constructor(calls: DurableCalls, call: Call, share: Share) {
    this.#calls = calls
    this.#call = call
    this.#share = share
  }

  /**
   * Calls the function in a transaction until that is known to be committed, or the function fails; gives the text of its result. What the
   * storage does is no failure of the function: after that it is called again.
   */
  async perform(fn: (transaction: object) => Promise<unknown>): Promise<string> {
    const calls = this.#calls
    calls.writer.assertRoom(1)
    let failuresOfWriting = 0
    for (let failures = 1; ; failures += 1) {
      const ended = await calls.whileStep(async () => await this.#once(fn))
      if (ended.kind === 'kept') {
        calls.writer.noteWritten(1)
        return ended.value
      }
      if (ended.kind === 'refused') {
        calls.lose()
        return await never()
      }
      if (calls.attempt.cancelSignal.isCancelled() && !calls.isToldToLeave) {
        // It is over, and whatever came of it counts no more.
        return await never()
      }
      this.#mayBeKept ||= ended.kind === 'unknown' && ended.mayBeKept
      const kept = this.#mayBeKept ? await calls.lookForResult(this.#call) : undefined
      if (kept !== undefined) {
        return kept
      }
      if (ended.kind === 'failed') {
        throw ended.error
      }
      calls.engine.logger.error(
        `The transaction ${this.#call.name} of execution ${calls.attempt.row.executionId} could not be committed yet`,
        ended.error,
      )
      failuresOfWriting = (await this.#isAboutWhatIsWritten(ended)) ? failuresOfWriting + 1 : 0
      if (failuresOfWriting === FAILURES_OF_WRITING) {
        throw new DurableExecutionError(`Could not be stored: ${messageOf(ended.error)}`, false, {
          cause: ended.error,
        })
      }
      await pauseAfter(failures, calls.engine.doors)
    }
  }

  async #once(fn: (transaction: object) => Promise<unknown>): Promise<Remembered> {
    const { engine, attempt, writer } = this.#calls
    const { row, lease, cancelSignal } = attempt
    const use = async (transaction: object): Promise<string> => {
      // The transaction waits for nobody whose result is not wanted: what it holds is let go of at once.
      const isWanted = !cancelSignal.isCancelled()
      const value = await createCancellablePromise(
        isWanted
          ? Promise.resolve(this.#calls.whileStep(async () => await fn(transaction)))
          : Promise.resolve(),
        cancelSignal,
      )
      const text = engine.serializer.serialize(value)
      const about = `The result of step ${this.#call.name} of task `
      checkPayload(text, about, row.taskId, engine.options.maxPayloadBytes)
      return text
    }
    const recorded = rememberShared(
      this.#share,
      use,
      (output) => ({
        kind: 'recorded',
        executionId: row.executionId,
        lease,
        ...writer.recordAlone({ executionId: this.#call.id, kind: '#step', output }),
      }),
      engine.store,
    )
    try {
      return await createCancellablePromise(recorded, cancelSignal)
    } catch (error) {
      // Only a cancel rejects.
      return { kind: 'failed', error }
    }
  }

  /** Whether the storage refused what was to be written, and not to work at all. */
  async #isAboutWhatIsWritten({
    error,
    mayBeKept,
  }: {
    error: unknown
    mayBeKept: boolean
  }): Promise<boolean> {
    const { engine, attempt } = this.#calls
    const isAboutIt = error instanceof DurableExecutionError || (hasCode(error) && !isOfTheMoment(error))
    return mayBeKept && isAboutIt && (await isStorageThere(engine.transact, attempt.row.executionId))
  }
}
