/** Growth by depth: chains of parents with one child each, down to the deepest, and up again with its output. */

import { DurableExecutor, type DurableStorage, type DurableTask } from 'durable-execution'

import { timed } from '../batches.ts'
import { QUIET } from '../engines/ours.ts'
import { type Metrics } from '../measure/metrics.ts'
import { LEVELS, lineMetrics } from './lines.ts'

/** Chains one after another, so that each length has some hundred levels. */
const CHAINS: Record<(typeof LEVELS)[number], number> = { 10: 50, 100: 5, 900: 1 }

export async function measureChains(storage: DurableStorage): Promise<Metrics> {
  const executor = new DurableExecutor(storage, { logger: QUIET })
  const level: DurableTask<number, unknown> = executor.parentTask({
    id: 'level',
    timeoutMs: 60_000,
    runParent: (_ctx, left: number) => ({
      output: left,
      childrenTasks: left > 1 ? [{ task: level, input: left - 1 }] : [],
    }),
    finalizeTask: {
      id: 'reached',
      timeoutMs: 60_000,
      run: (_ctx, { output, childrenTasksOutputs }) => childrenTasksOutputs[0]?.output ?? output,
    },
  })
  await executor.start()
  const descend = async (levels: number): Promise<void> => {
    const handle = await executor.enqueueTask(level, levels)
    const execution = await handle.waitAndGetTaskFinishedExecution()
    if (execution.status !== 'completed' || execution.output !== 1) {
      throw new Error(`A chain of ${levels} ended ${execution.status}`)
    }
  }
  const microsPerLevel = async (levels: (typeof LEVELS)[number]): Promise<number> => {
    const ms = await timed(async () => {
      for (let chain = 0; chain < CHAINS[levels]; chain += 1) {
        await descend(levels)
      }
    })
    return (ms * 1_000) / (levels * CHAINS[levels])
  }
  await microsPerLevel(LEVELS[0])
  const [shortest, ...longer] = LEVELS
  const base = await microsPerLevel(shortest)
  const metrics: Metrics = {}
  for (const levels of longer) {
    Object.assign(metrics, lineMetrics(`levels${levels}`, base, await microsPerLevel(levels)))
  }
  await executor.shutdown()
  return metrics
}
