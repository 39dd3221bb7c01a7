/** What cases about durable code share: one task on one executor, and waiting until it is suspended. */

import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type DurableTask } from '../../../task/define.ts'
import { untilRow } from './lives.ts'
import { type EngineWorld } from './world.ts'

export const HOUR = 3_600_000

/** What the function of the task does. */
export type Run = (ctx: DurableTaskRunContext, input: unknown) => unknown

/** A started executor, and its task. */
export async function started(
  world: EngineWorld,
  run: Run,
  options: Parameters<EngineWorld['newExecutor']>[0] = {},
): Promise<{ executor: DurableExecutor; flow: DurableTask<unknown, unknown> }> {
  const executor = world.newExecutor(options)
  const flow = executor.task({ id: 'flow', timeoutMs: HOUR, run })
  await world.until(executor.start())
  return { executor, flow }
}

/** Resolves when the execution has been left by a run. */
export async function suspended(world: EngineWorld, executionId: string): Promise<void> {
  await untilRow(world, executionId, (row) => row.status === 'ready' && row.startedAt !== undefined)
}
