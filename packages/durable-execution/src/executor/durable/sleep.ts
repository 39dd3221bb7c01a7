/** Sleeps: pauses of any length that survive whatever happens to the process. */

import { type Millis } from '../../base/clock.ts'
import { type Call, type DurableCalls } from './calls.ts'
import { checkKind } from './names.ts'

/** Resolves once the time is over; counted from the first time that the execution came here. */
export async function sleepUntil(calls: DurableCalls, call: Call, firstUntil: Millis): Promise<void> {
  const { history, attempt } = calls
  const [known] = await calls.insist(async () => await history.get([call.id]))
  checkKind(known, '#sleep', call, attempt.row.executionId)
  const until = known?.startAt.getTime() ?? firstUntil
  if (known === undefined) {
    calls.writer.add({ records: [{ executionId: call.id, kind: '#sleep', dueAt: new Date(until) }] })
  }
  if (calls.moments.isNear(until)) {
    if (until > calls.engine.store.now()) {
      // Another attempt, or another run, is not to sleep again.
      calls.writer.flush()
    }
    await calls.moments.until(until)
    return
  }
  await calls.outside<void>(
    {
      suspension: () => ({ kind: 'sleep', name: call.name, until }),
      ids: () => [],
      onLook: () => {},
    },
    ({ resolve }) => calls.moments.at(until, () => resolve()),
  )
}
