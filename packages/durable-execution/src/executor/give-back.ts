/** Gives rows back that this process holds and will not finish: without an attempt, to be run by whoever takes them. */

import { settleRuns } from '../store/settle.ts'
import { withUserTries } from '../store/transact.ts'
import { type Engine } from './engine.ts'
import { type Attempt, releasedEvent } from './run-attempt.ts'

/** Never rejects: what cannot be given back is recovered once its lease has lapsed. `what` they are is for the log. */
export async function giveBack(
  { transact, store, logger, tell, doors }: Engine,
  attempts: ReadonlyArray<Pick<Attempt, 'row' | 'lease'>>,
  what: string,
): Promise<void> {
  if (attempts.length === 0) {
    return
  }
  const settlements = attempts.map((attempt) => ({ claimed: attempt.row, event: releasedEvent(attempt) }))
  try {
    const { effects } = await withUserTries(
      async (tries) => await settleRuns(transact, settlements, store, { isRepeat: tries > 1 }),
      doors.clock,
      doors.random,
    )
    tell(effects)
  } catch (error) {
    logger.error(`${attempts.length} ${what} could not be given back; their leases will lapse`, error)
  }
}
