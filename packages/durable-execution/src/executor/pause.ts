/** Pauses between tries of what the storage did not take. */

import { LIMITS } from '../base/limits.ts'
import { jitter } from '../base/random.ts'
import { type Doors } from '../base/doors.ts'

/** Resolves after a pause that grows with the failures in a row. */
export async function pauseAfter(
  failures: number,
  { clock, random }: Pick<Doors, 'clock' | 'random'>,
): Promise<void> {
  const pauseMs = Math.min(LIMITS.userBackoffMs * 2 ** Math.min(failures, 20), LIMITS.backgroundBackoffMs)
  await new Promise<void>((resolve) => {
    clock.setTimer(jitter(pauseMs, random), resolve)
  })
}
