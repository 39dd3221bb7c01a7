/** Growth by size: tasks whose input is given back as their output, of 1 KB, 64 KB and 1 MB. */

import { DurableExecutor, type DurableStorage } from 'durable-execution'

import { timed } from '../batches.ts'
import { byCallers } from '../engines/callers.ts'
import { QUIET } from '../engines/ours.ts'
import { type Metrics } from '../measure/metrics.ts'
import { lineMetrics, PAYLOAD_KB } from './lines.ts'

const CALLERS = 20
const TASKS: Record<(typeof PAYLOAD_KB)[number], number> = { 1: 3_000, 64: 500, 1_024: 60 }

export async function measurePayloads(storage: DurableStorage): Promise<Metrics> {
  const executor = new DurableExecutor(storage, { logger: QUIET })
  const echo = executor.task({ id: 'echo', timeoutMs: 60_000, run: (_ctx, text: string) => text })
  await executor.start()
  const microsPerTask = async (kb: (typeof PAYLOAD_KB)[number]): Promise<number> => {
    const text = 'x'.repeat(kb * 1_024)
    const ms = await timed(async () => {
      await byCallers(CALLERS, TASKS[kb], async () => {
        const handle = await executor.enqueueTask(echo, text)
        const execution = await handle.waitAndGetTaskFinishedExecution()
        if (execution.status !== 'completed') {
          throw new Error(`A task with ${kb} KB ended ${execution.status}`)
        }
      })
    })
    return (ms * 1_000) / TASKS[kb]
  }
  const [smallest, ...larger] = PAYLOAD_KB
  await microsPerTask(smallest)
  const base = await microsPerTask(smallest)
  const metrics: Metrics = {}
  for (const kb of larger) {
    Object.assign(metrics, lineMetrics(`payload${kb}Kb`, base, await microsPerTask(kb)))
  }
  await executor.shutdown()
  return metrics
}
