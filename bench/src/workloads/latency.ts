/**
 * Idle latency: one task at a time, from the call that enqueues it until the caller knows that it is completed.
 * After each, where the engine has a disk under it, the limit in the same minute: two commits of one row in turn.
 */

import { type Session } from '../engines/engine.ts'
import { type Amounts } from '../job.ts'
import { type TwoCommits } from '../limits/two-commits.ts'
import { startMeter } from '../measure/meter.ts'
import { type Metrics, metricsOf } from '../measure/metrics.ts'
import { quantile } from '../measure/quantile.ts'

const ROUND_TRIPS = 500
const WARM_UP = 1_000

// What takes a tenth of a second each time is known well enough after fewer.
const MOST_SECONDS = { warmUp: 5, measured: 20 }

export async function measureLatency(
  session: Session,
  { tasks, warm }: Amounts,
  serverPid: number | undefined,
  floor: TwoCommits | undefined,
): Promise<Metrics> {
  const worker = await session.startWorker()
  await makeRoundTrips(session, Math.min(WARM_UP, warm), MOST_SECONDS.warmUp, floor)
  const stopMeter = startMeter(serverPid)
  const { times, floors } = await makeRoundTrips(
    session,
    Math.min(ROUND_TRIPS, tasks),
    MOST_SECONDS.measured,
    floor,
  )
  const { othersPercent } = stopMeter()
  await worker.stop()
  const p50Ms = quantile(times, 0.5)
  const twoCommitsP50Ms = floors.length === 0 ? undefined : quantile(floors, 0.5)
  return metricsOf({
    roundTrips: times.length,
    p50Ms,
    p95Ms: quantile(times, 0.95),
    twoCommitsP50Ms,
    timesTwoCommits: twoCommitsP50Ms === undefined ? undefined : p50Ms / twoCommitsP50Ms,
    othersPercent,
  })
}

/** In turn with the two commits. */
async function makeRoundTrips(
  session: Session,
  count: number,
  mostSeconds: number,
  floor: TwoCommits | undefined,
): Promise<{ times: Array<number>; floors: Array<number> }> {
  const [times, floors]: [Array<number>, Array<number>] = [[], []]
  const endsAt = performance.now() + mostSeconds * 1_000
  while (times.length < count && performance.now() < endsAt) {
    const startedAt = performance.now()
    await session.roundTrip(times.length)
    times.push(performance.now() - startedAt)
    if (floor !== undefined) {
      floors.push(await floor.commit())
    }
  }
  return { times, floors }
}
