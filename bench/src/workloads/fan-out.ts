/** Fan-out: a parent with 1,000 children, and what combines their outputs, from the call to the result. */

import { type Session } from '../engines/engine.ts'
import { type Amounts } from '../job.ts'
import { startMeter } from '../measure/meter.ts'
import { type Metrics, metricsOf, rssMb } from '../measure/metrics.ts'

export const CHILDREN = 1_000

// What takes seconds each time is known well enough after a few.
const MOST_SECONDS_OF_WARM_UP = 10

export async function measureFanOut(
  session: Session,
  { warm }: Amounts,
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
  const stopMeter = startMeter(serverPid)
  await session.fanOut(CHILDREN)
  const { seconds, nodeSeconds, serverSeconds, othersPercent } = stopMeter()
  await worker.stop()
  return metricsOf({ seconds, nodeSeconds, serverSeconds, rssMb: rssMb(), othersPercent })
}
