/** An executor that lives by a time that is moved, and that can die like a process. */

import { type Doors } from '../base/doors.ts'
import { LIMITS } from '../base/limits.ts'
import { DurableExecutor } from '../executor/executor.ts'
import { type DurableExecutorOptions } from '../executor/options.ts'
import { type DurableStorage } from '../storage/contract.ts'
import { type TestClock } from './clock.ts'
import { createClockFace } from './clock-face.ts'
import { createMortalStorage } from './mortal-storage.ts'
import { type TimedProcess } from './moved-time.ts'
import { withDoors } from './with-doors.ts'

export type TimedExecutor = {
  executor: DurableExecutor
  /** What moving time needs to know of it. */
  process: TimedProcess
  /** Takes away the timers that are left, and sets no more. */
  endTimers: () => void
  /** The process dies: it has no timers any more, and nothing of it reaches the storage. Its functions go on, unheard. */
  die: () => void
}

const POLL_MS = 500

/**
 * @param options - The user's; `expireMs` and the poll have defaults of a test's own.
 * @param standardExpireMs - The lease, unless the user gave one.
 * @param doors - Chance and names, if they are the test's own too.
 */
export function createTimedExecutor(
  storage: DurableStorage,
  clock: TestClock,
  options: DurableExecutorOptions,
  standardExpireMs: number,
  doors: Partial<Doors> = {},
): TimedExecutor {
  const mortal = createMortalStorage(withoutClock(storage))
  const face = createClockFace(clock)
  const expireMs = options.expireMs ?? standardExpireMs
  const executor = new DurableExecutor(
    mortal.storage,
    withDoors(
      {
        ...options,
        expireMs,
        // Given, so that it is kept: a storage that hints does so in real time, and here time is moved.
        backgroundProcessIntraBatchSleepMs: options.backgroundProcessIntraBatchSleepMs ?? POLL_MS,
      },
      { ...doors, clock: face },
    ),
  )
  return {
    executor,
    process: {
      runningIds: () => executor.getRunningTaskExecutionIds(),
      callsUnderWay: mortal.callsUnderWay,
      isDead: mortal.isDead,
      leaseMs: expireMs > 0 ? expireMs : LIMITS.expireMs,
    },
    endTimers: face.end,
    die: () => {
      mortal.die()
      face.end()
    },
  }
}

/** The storage without a clock of its own, which would go by real time: executors then take the one they are given. */
function withoutClock(storage: DurableStorage): DurableStorage {
  return new Proxy(storage, {
    get: (target, name) => {
      const member: unknown = name === 'getCurrentTime' ? undefined : Reflect.get(target, name, target)
      return typeof member === 'function'
        ? (...args: Array<unknown>): unknown => Reflect.apply(member, target, args)
        : member
    },
  })
}
