/** Runs one transaction against whatever storage it is, and says how that went. */

import { type Clock, type Millis } from '../base/clock.ts'
import { DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { jitter, type Random } from '../base/random.ts'
import { type TimeLimits } from '../base/time-limits.ts'
import { type DurableStorage, type DurableStorageTx } from '../storage/contract.ts'

type TransactionHint = { oneCall?: boolean }

/** Runs `fn` in a transaction; rejects with what the storage or `fn` threw. */
export type Transact = <T>(fn: (tx: DurableStorageTx) => Promise<T>, hint?: TransactionHint) => Promise<T>

/** Told of every question to the storage and of what came of it, for the health report. */
export type StorageObserver = {
  onAsk: () => void
  onAnswer: () => void
  onFailure: (error: unknown) => void
}

/**
 * One transaction, tried once. It is given up after `limitMs`: what becomes of it then is unknown, as
 * it is for any transaction whose commit was not acknowledged.
 */
export function createTransact(
  storage: DurableStorage,
  limits: TimeLimits,
  observer: StorageObserver,
  limitMs: Millis = LIMITS.storageCallMs,
): Transact {
  const tooLate = `The storage did not answer within ${limitMs} ms`
  return async (fn, hint) => {
    observer.onAsk()
    try {
      // Looked up at each call: a wrapper may put another function there.
      const answer = await limits.within(storage.withTransaction(fn, hint), limitMs, tooLate)
      observer.onAnswer()
      return answer
    } catch (error) {
      // An error of ours comes from inside the transaction: the storage did answer.
      if (error instanceof DurableExecutionError) {
        observer.onAnswer()
      } else {
        observer.onFailure(error)
      }
      throw error
    }
  }
}

/** Whether the storage answers at all: a read of one id waits for nobody. Never rejects. */
export async function isStorageThere(transact: Transact, executionId: string): Promise<boolean> {
  try {
    const where = { type: 'by_execution_ids' as const, executionIds: [executionId] }
    await transact(async (tx) => await tx.getTaskExecutionIds(where), { oneCall: true })
    return true
  } catch {
    return false
  }
}

// What drivers say when the fault is that of the moment: SQLSTATE classes of connections (08), conflicts (40), resources (53), locks (55)
// and a server that goes down (57), SQLite's words for the same, and the system's for a connection that broke.
const OF_THE_MOMENT =
  /^(08|40|53|55|57)[0-9A-Z]{3}$|^(SQLITE_)?(BUSY|LOCKED|IOERR|FULL|CANTOPEN|PROTOCOL)|^E(CONN|PIPE|TIMEDOUT|HOST|NET|AI_AGAIN|NOSPC)/

// Busy, locked, I/O error, full, cannot open, lock protocol.
const SQLITE_OF_THE_MOMENT: ReadonlySet<number> = new Set([5, 6, 10, 13, 14, 15])

/** Whether the error says that the same again may succeed: it is no fault of what was to be written. */
export function isOfTheMoment(error: unknown): boolean {
  const code = codeOf(error)
  // node:sqlite gives the number; the kind is in its last eight bits.
  return typeof code === 'number'
    ? SQLITE_OF_THE_MOMENT.has(code % 256)
    : code !== undefined && OF_THE_MOMENT.test(code)
}

/** Whether the error has a code, which the database or the system gave it. */
export function hasCode(error: unknown): boolean {
  return codeOf(error) !== undefined
}

function codeOf(error: unknown): string | number | undefined {
  if (typeof error !== 'object' || error === null) {
    return undefined
  }
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  return typeof errcode === 'number' ? errcode : typeof code === 'string' ? code : undefined
}

/** Whether the error is one of ours that says that the same again will fail again. */
export function isFinal(error: unknown): boolean {
  return error instanceof DurableExecutionError && !error.isRetryable
}

type OptionalOperation = Exclude<
  keyof DurableStorageTx,
  'insertTaskExecutions' | 'getTaskExecutionIds' | 'getTaskExecutions' | 'updateTaskExecutions'
>

// Which operations a storage was last seen without: it is not promised one call again before it has them.
const lacking = new WeakMap<Transact, Set<OptionalOperation>>()

/**
 * Runs `fast`, which makes one call, if the storage offers the operation, else `slow`. Whether it does is
 * seen only inside a transaction, and one that was promised to make one call must not make more.
 */
export async function withOperation<T>(
  transact: Transact,
  operation: OptionalOperation,
  fast: (tx: DurableStorageTx) => Promise<T>,
  slow: (tx: DurableStorageTx) => Promise<T>,
): Promise<T> {
  let lacks = lacking.get(transact)
  if (lacks === undefined) {
    lacks = new Set()
    lacking.set(transact, lacks)
  }
  if (!lacks.has(operation)) {
    const answer = await transact(
      async (tx) => (tx[operation] === undefined ? undefined : { value: await fast(tx) }),
      { oneCall: true },
    )
    if (answer !== undefined) {
      return answer.value
    }
  }
  return await transact(async (tx) => {
    if (tx[operation] === undefined) {
      lacks.add(operation)
      return await slow(tx)
    }
    lacks.delete(operation)
    return await fast(tx)
  })
}

/**
 * The same for calls that a user waits for: a few tries within two seconds, then the storage's own
 * error. A non-retryable error of ours is passed on at once.
 */
export async function withUserTries<T>(
  attempt: (tries: number) => Promise<T>,
  clock: Clock,
  random: Random,
  triesBefore: number = 0,
): Promise<T> {
  const startedAt = clock.monotonicNow()
  for (let tries = triesBefore + 1; ; tries += 1) {
    try {
      return await attempt(tries)
    } catch (error) {
      const pauseMs = jitter(LIMITS.userBackoffMs * 2 ** (tries - 1), random)
      const isLate = clock.monotonicNow() - startedAt + pauseMs > LIMITS.userTriesMs
      if (isFinal(error) || isLate || tries >= LIMITS.userTries) {
        throw error
      }
      await new Promise<void>((resolve) => {
        clock.setTimer(pauseMs, resolve, { keepsProcessAlive: true })
      })
    }
  }
}
