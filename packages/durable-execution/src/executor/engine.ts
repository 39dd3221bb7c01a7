/** What the parts of one executor share: its doors, its tasks, its storage, and what they tell each other. */

import { type Millis } from '../base/clock.ts'
import { type Doors } from '../base/doors.ts'
import { type Logger } from '../base/logger.ts'
import { type Serializer } from '../base/serializer.ts'
import { type TimeLimits } from '../base/time-limits.ts'
import { type StoreDoors } from '../store/decision.ts'
import { type Effects } from '../store/effects.ts'
import { type Share } from '../store/share.ts'
import { type Transact } from '../store/transact.ts'
import { type TaskRegistry } from '../task/registry.ts'
import { type ResolvedExecutorOptions } from './options.ts'

/** The shared part of an executor. */
export type Engine = {
  executorId: string
  options: ResolvedExecutorOptions
  doors: Doors
  logger: Logger
  serializer: Serializer
  registry: TaskRegistry
  /** Gives up on work that takes too long; behind one timer for all. */
  limits: TimeLimits
  transact: Transact
  /** How a function of the user's shares a transaction with us; undefined where the storage cannot do that. */
  share: () => Share | undefined
  store: StoreDoors
  /**
   * Resolves once the storage's clock has been read, if it has one; rejects while that cannot be done. By a clock that is wrong
   * by an hour an executor would take what is not due, and leases that have not lapsed.
   */
  knowTime: () => Promise<void> | undefined
  /** How long an idle loop waits between looks: seldom, while the storage hints at what others change. */
  pollMs: () => Millis
  /** Tells everybody who waits what a committed transaction changed. */
  tell: (effects: Effects) => void
}
