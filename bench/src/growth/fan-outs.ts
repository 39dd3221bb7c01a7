/** Growth by children: parents with ever more of them, each with a finalize task that combines what they gave. */

import { type DurableStorage } from 'durable-execution'

import { timed } from '../batches.ts'
import { openOurs } from '../engines/ours.ts'
import { megabytes, type Metrics } from '../measure/metrics.ts'
import { median } from '../measure/quantile.ts'
import { BASE_CHILDREN, CHILDREN, lineMetrics } from './lines.ts'

/** How often each is run; the figure is the median. */
const ROUNDS: Record<(typeof CHILDREN)[number], number> = { 10: 30, 1_000: 5, 10_000: 3, 100_000: 1 }

export async function measureFanOuts(storage: DurableStorage): Promise<Metrics> {
  const session = openOurs(storage, () => Promise.resolve())
  const worker = await session.startWorker()
  const fanOut = async (children: number): Promise<number> =>
    await timed(async () => await session.fanOut?.(children))
  // The first thousands of tasks of a process pay for its compiler.
  await fanOut(BASE_CHILDREN)
  await fanOut(BASE_CHILDREN)
  const metrics: Metrics = {}
  const micros: Record<number, number> = {}
  for (const children of CHILDREN) {
    const times: Array<number> = []
    for (let round = 0; round < ROUNDS[children]; round += 1) {
      times.push(await fanOut(children))
    }
    const ms = median(times)
    micros[children] = (ms * 1_000) / children
    metrics[`children${children}Seconds`] = ms / 1_000
    // The most that it ever held, since it gives back what it can.
    metrics[`children${children}RssMb`] = megabytes(process.resourceUsage().maxRSS * 1_024)
  }
  await worker.stop()
  await session.close()
  for (const children of CHILDREN.filter((size) => size !== BASE_CHILDREN)) {
    Object.assign(
      metrics,
      lineMetrics(`children${children}`, micros[BASE_CHILDREN] ?? Number.NaN, micros[children] ?? Number.NaN),
    )
  }
  return metrics
}
