/**
 * Fan-out: a parent with 1,000 children, and what combines their outputs, from the call to the result. One after the other, until there were as many
 * children as tasks of a throughput run, or some seconds are over; the figure is the median, since one alone may meet a collection of Node's, or a checkpoint
 * of the server's.
 */

import { type Session } from '../engines/engine.ts'
import { type Amounts } from '../job.ts'
import { startMeter } from '../measure/meter.ts'
import { type Metrics, metricsOf, rssMb } from '../measure/metrics.ts'
import { median } from '../measure/quantile.ts'

export const CHILDREN = 1_000

// What takes seconds each time is known well enough after a few.
const MOST_SECONDS_OF_WARM_UP = 10

const MOST_SECONDS = 5

export async function measureFanOut(
  session: Session,
  { tasks, warm }: Amounts,
  serverPid: number | undefined,
): Promise<Metrics> {
  if (session.fanOut === undefined) {
    throw new Error('This engine has no fan-out, and its file should say so in `lacks`')
  }
  const worker = await session.startWorker()
  const warmUpEndsAt = performance.now() + MOST_SECONDS_OF_WARM_UP * 1_000
  for (let children = 0; children < warm && performance.now() < warmUpEndsAt; children += CHILDREN) {
    await session.fanOut(Math.min(CHILDREN, warm))
  }
  const mostRounds = tasks / CHILDREN
  const rounds: Array<number> = []
  // Of all engines after one: the more children a process has run, the more memory it has.
  let rss = Number.NaN
  const stopMeter = startMeter(serverPid)
  const endsAt = performance.now() + MOST_SECONDS * 1_000
  while (rounds.length === 0 || (rounds.length < mostRounds && performance.now() < endsAt)) {
    const startedAt = performance.now()
    await session.fanOut(CHILDREN)
    rounds.push((performance.now() - startedAt) / 1_000)
    rss = rounds.length === 1 ? rssMb() : rss
  }
  const { nodeSeconds, serverSeconds, othersPercent } = stopMeter()
  await worker.stop()
  return metricsOf({
    seconds: median(rounds),
    nodeSeconds: nodeSeconds / rounds.length,
    serverSeconds: serverSeconds === undefined ? undefined : serverSeconds / rounds.length,
    rssMb: rss,
    othersPercent,
  })
}
