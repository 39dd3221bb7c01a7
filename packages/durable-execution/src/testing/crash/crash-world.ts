/** What outlives a process in one run: the storage, the time, the outside; and the processes that live in it. */

import { type MaybePromise } from '../../base/promise.ts'
import { type DurableExecutor } from '../../executor/executor.ts'
import { type DurableExecutorOptions } from '../../executor/options.ts'
import { type DurableStorage } from '../../storage/contract.ts'
import { createInMemoryStorage } from '../../storage/memory/in-memory-storage.ts'
import { type DurableTask } from '../../task/define.ts'
import { createTestClock, type TestClock } from '../clock.ts'
import { createFaultyStorage, type StorageFault } from '../faults.ts'
import { type TestKitError } from '../kit-error.ts'
import { MovedTime } from '../moved-time.ts'
import { createTimedExecutor } from '../timed-executor.ts'
import { createCountedIds } from './counted-ids.ts'
import { type CrashPlace, nameOf, type Passed } from './crash-point.ts'
import { createOutside, Ledger, type Outside } from './outside.ts'

/**
 * Defines the task, and the tasks that it needs, on an executor: called anew for every process, since a process that
 * dies takes its functions with it.
 *
 * @category Testing
 */
export type CrashTaskDefinition<TInput, TOutput> = (
  executor: DurableExecutor,
  outside: Outside,
) => MaybePromise<DurableTask<TInput, TOutput>>

export type CrashWorldOptions = {
  executor: DurableExecutorOptions
  patienceMs: number
  onLate: (error: TestKitError) => void
}

/** A process of a world. */
export type CrashProcess<TInput, TOutput> = {
  executor: DurableExecutor
  task: DurableTask<TInput, TOutput>
  isDead: () => boolean
  die: () => void
  /** What it passed so far. */
  passed: ReadonlyArray<Passed>
}

// Long enough that functions which wait for hours do not turn the renewal of leases thousands of times.
const EXPIRE_MS = 3_600_000

export class CrashWorld {
  readonly clock: TestClock = createTestClock()
  readonly storage: DurableStorage = createInMemoryStorage()
  readonly time: MovedTime
  readonly ledger: Ledger = new Ledger()
  readonly #ids = createCountedIds()
  readonly #options: CrashWorldOptions
  #isOver = false

  constructor(options: CrashWorldOptions) {
    this.#options = options
    this.time = new MovedTime({
      clock: this.clock,
      storage: this.storage,
      patienceMs: options.patienceMs,
    })
  }

  /** Nothing counts any more that its processes do. */
  end(): void {
    this.#isOver = true
  }

  /** Starts a process, which dies at the place if one is given. */
  async startProcess<TInput, TOutput>(
    define: CrashTaskDefinition<TInput, TOutput>,
    diesAt?: CrashPlace,
  ): Promise<CrashProcess<TInput, TOutput>> {
    const passed: Array<Passed> = []
    let effects = 0
    let hasCrashed = false
    const strikes = (place: CrashPlace): boolean => {
      const isHere = diesAt !== undefined && nameOf(place) === nameOf(diesAt)
      if (isHere) {
        hasCrashed = true
        timed.die()
      }
      return isHere
    }
    const dying = createDyingStorage(this.storage, strikes, passed)
    const timed = createTimedExecutor(dying, this.clock, this.#options.executor, EXPIRE_MS, {
      // The same run has the same jitter and the same ids.
      random: () => 0.5,
      ids: this.#ids,
    })
    this.time.add(timed.process)
    const { executor, process, die } = timed
    const outside = createOutside(this.ledger, {
      // Not one that is only put away at the end: what its functions do then comes too late.
      isDead: () => hasCrashed,
      isOver: () => this.#isOver,
      isAtWork: () => executor.getRunningTaskExecutionIds().size > 0,
      onEffect: (moment, name) => {
        if (moment === 'before') {
          effects += 1
          passed.push({ kind: 'effect', index: effects, name })
        }
        strikes({ kind: 'effect', index: effects, moment })
      },
      onLate: this.#options.onLate,
    })
    const task = await define(executor, outside)
    await executor.start()
    return { executor, task, isDead: process.isDead, die, passed }
  }
}

/** The storage of a process that may die at any of its calls; each is noted. */
function createDyingStorage(
  storage: DurableStorage,
  strikes: (place: CrashPlace) => boolean,
  passed: Array<Passed>,
): DurableStorage {
  const faulty = createFaultyStorage(storage)
  faulty.failWhen((count): StorageFault | undefined =>
    strikes({ kind: 'storage', index: count + 1, moment: 'before' }) ? 'hang' : undefined,
  )
  faulty.failAtCommitWhen(({ index: count, operations }): StorageFault | undefined => {
    const index = count + 1
    passed.push({ kind: 'storage', index, operations })
    if (strikes({ kind: 'storage', index, moment: 'commit' })) {
      return 'lost_in_between'
    }
    return strikes({ kind: 'storage', index, moment: 'reply' }) ? 'hang' : undefined
  })
  return faulty
}
