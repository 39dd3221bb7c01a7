/** Gives rows back that this process holds and will not finish: without an attempt, to be run by whoever takes them. */

import { type Effects } from '../store/effects.ts'
import { settleRuns } from '../store/settle.ts'
import { type Transact, withUserTries } from '../store/transact.ts'
import { type Engine } from './engine.ts'
import { type Attempt, releasedEvent } from './run-attempt.ts'

/** What is given back. */
export type Held = Pick<Attempt, 'row' | 'lease'>

/** Gives them back in one try; `isRepeat` says that they may be anybody's by now. */
export async function release(
  { store }: Engine,
  transact: Transact,
  attempts: ReadonlyArray<Held>,
  isRepeat: boolean,
): Promise<Effects> {
  const settlements = attempts.map((attempt) => ({ claimed: attempt.row, event: releasedEvent(attempt) }))
  return (await settleRuns(transact, settlements, store, { isRepeat })).effects
}

/** Never rejects: what cannot be given back is recovered once its lease has lapsed. `what` they are is for the log. */
export async function giveBack(engine: Engine, attempts: ReadonlyArray<Held>, what: string): Promise<void> {
  if (attempts.length === 0) {
    return
  }
  const { transact, logger, tell, doors } = engine
  try {
    const effects = await withUserTries(
      async (tries) => await release(engine, transact, attempts, tries > 1),
      doors.clock,
      doors.random,
    )
    tell(effects)
  } catch (error) {
    logger.error(`${attempts.length} ${what} could not be given back; their leases will lapse`, error)
  }
}
