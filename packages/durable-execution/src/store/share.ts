/** One transaction that a function of the user's shares, and in which what it came to is remembered. */

import { assert } from '../base/assert.ts'
import { type Clock, type Millis, type Timer } from '../base/clock.ts'
import { DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { type OutsideEvent, type Refusal } from '../machine/event.ts'
import { type DurableStorage, type DurableStorageTx } from '../storage/contract.ts'
import { decideInTransaction, type StoreDoors } from './decision.ts'
import { lockRows } from './rows.ts'
import { type StorageObserver } from './transact.ts'

type Use<T> = (transaction: object) => Promise<T>
type Keep<T> = (tx: DurableStorageTx, value: T) => Promise<void>

/** How a shared transaction ended. */
type Shared<T> =
  /** All of it is committed. */
  | { kind: 'kept'; value: T }
  /** Its function failed, or what that did cannot be committed. Nothing is kept. */
  | { kind: 'failed'; error: unknown }
  /** The storage failed. `mayBeKept`: it may have been committed all the same. */
  | { kind: 'unknown'; error: unknown; mayBeKept: boolean }

/** Runs `use`, then `keep`, in one transaction. Never rejects. */
export type Share = <T>(use: Use<T>, keep: Keep<T>) => Promise<Shared<T>>

/**
 * Gives how transactions are shared on the storage, or nothing where they cannot be. How long the user's function may take is not for here
 * to say; what comes after it is given up after `limitMs`.
 */
export function createShare(
  storage: DurableStorage,
  clock: Clock,
  observer: StorageObserver,
  limitMs: Millis = LIMITS.storageCallMs,
): () => Share | undefined {
  // Looked up at each call: a wrapper may put another function there.
  return () =>
    storage.shareTransaction === undefined
      ? undefined
      : async (use, keep) => await new Sharing({ clock, observer, limitMs }, use, keep).run(storage)
}

type Doors = { clock: Clock; observer: StorageObserver; limitMs: Millis }

/** One transaction, and how far it has come. */
class Sharing<T> {
  readonly #doors: Doors
  readonly #use: Use<T>
  readonly #keep: Keep<T>
  #phase: 'before' | 'used' | 'keeping' | 'kept' = 'before'
  #failure: { error: unknown } | undefined
  #timer: Timer | undefined

  constructor(doors: Doors, use: Use<T>, keep: Keep<T>) {
    this.#doors = doors
    this.#use = use
    this.#keep = keep
  }

  async run(storage: DurableStorage): Promise<Shared<T>> {
    try {
      const value = await new Promise<T>((resolve, reject) => {
        this.#askStorage(storage, reject).then(resolve, reject)
      })
      this.#doors.observer.onAnswer()
      return { kind: 'kept', value }
    } catch (error) {
      return this.#ended(error)
    } finally {
      this.#timer?.cancel()
    }
  }

  async #askStorage(storage: DurableStorage, giveUp: (error: Error) => void): Promise<T> {
    const { clock, observer, limitMs } = this.#doors
    assert(storage.shareTransaction !== undefined, 'the storage shares transactions')
    return await storage.shareTransaction(
      async (transaction) => {
        observer.onAnswer()
        try {
          const value = await this.#use(transaction)
          this.#phase = 'used'
          return value
        } catch (error) {
          this.#failure = { error }
          throw error
        }
      },
      async (tx, value: T) => {
        this.#phase = 'keeping'
        observer.onAsk()
        this.#timer = clock.setTimer(limitMs, () =>
          giveUp(new Error(`The storage did not answer within ${limitMs} ms`)),
        )
        await this.#keep(tx, value)
        this.#phase = 'kept'
      },
    )
  }

  #ended(error: unknown): Shared<T> {
    const { observer } = this.#doors
    if (this.#isFailure(error)) {
      observer.onAnswer()
      return { kind: 'failed', error }
    }
    observer.onFailure(error)
    return {
      kind: 'unknown',
      error,
      mayBeKept: this.#phase === 'keeping' || this.#phase === 'kept',
    }
  }

  /** Whether the user's function failed with it, or what that did was refused as a whole. While we keep, the refusal may be of what we write. */
  #isFailure(error: unknown): boolean {
    const isRefusal = error instanceof DurableExecutionError
    return this.#failure === undefined
      ? isRefusal && (this.#phase === 'used' || this.#phase === 'kept')
      : isRefusal || error === this.#failure.error
  }
}

type Recorded = Extract<OutsideEvent, { kind: 'recorded' }>

/** Thrown to undo all: the run that shares the transaction does not count any more. */
class RefusedError extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(`The run was refused (${refusal})`)
    this.refusal = refusal
  }
}

/** How a function ended whose result was to be remembered in the transaction that it shares. */
export type Remembered =
  | Shared<string>
  /** The lease was lost. Nothing is kept. */
  | { kind: 'refused'; refusal: Refusal }

/** Runs `use`, and writes what `recordedOf` says of its result in the same transaction, right before the commit. */
export async function rememberShared(
  share: Share,
  use: Use<string>,
  recordedOf: (text: string) => Recorded,
  doors: StoreDoors,
): Promise<Remembered> {
  const shared = await share(use, async (tx, text) => {
    const event = recordedOf(text)
    const now = doors.now()
    const rows = await lockRows(tx, [event.executionId], new Date(now))
    const { results } = await decideInTransaction(tx, { rows }, [event], doors, now)
    const result = results[0] ?? 'not_found'
    if (result !== 'accepted') {
      throw new RefusedError(result)
    }
  })
  return shared.kind === 'unknown' && shared.error instanceof RefusedError
    ? { kind: 'refused', refusal: shared.error.refusal }
    : shared
}
