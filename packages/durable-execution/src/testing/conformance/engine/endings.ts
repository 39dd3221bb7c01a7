/** Runs a task whose attempts end as a case says, and answers how it was. */

import { type DurableTaskRetryOptions } from '../../../machine/execution.ts'
import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type EngineWorld } from './world.ts'

/** Runs a task whose attempts end one after the other as the list says, and answers how it was. */
export async function runEndings(
  world: EngineWorld,
  endings: ReadonlyArray<() => unknown>,
  options: { retryOptions?: DurableTaskRetryOptions; sleepMsBeforeRun?: number } = {},
): Promise<{
  startedAfterMs: Array<number>
  contexts: Array<DurableTaskRunContext>
  finished: Awaited<ReturnType<EngineWorld['finish']>>
}> {
  const executor = world.newExecutor()
  const startedAfterMs: Array<number> = []
  const contexts: Array<DurableTaskRunContext> = []
  const enqueuedAt = world.clock.now()
  const task = executor.task({
    id: 'task',
    timeoutMs: 10_000,
    ...options,
    run: (ctx) => {
      startedAfterMs.push(world.clock.now() - enqueuedAt)
      contexts.push(ctx)
      return endings[ctx.attempt]?.()
    },
  })
  await executor.start()
  const handle = await executor.enqueueTask(task, 'in')
  const finished = await world.finish(handle, 100 * 86_400_000)
  return { startedAfterMs, contexts, finished }
}

/** An ending that throws. */
export const throwing = (thrown: unknown) => (): never => {
  throw thrown
}
