/** Trees that their makers left behind, for cases on who goes on with them. */

import { type DurableTaskHandle } from '../../../client/handle.ts'
import { type DurableExecutor } from '../../../executor/executor.ts'
import { defineEcho, defineParentOf, untilStatus, untilTrue } from './trees.ts'
import { type EngineWorld } from './world.ts'

/** A tree of one parent, made by an executor that then dies while its children wait for their time. */
export async function leaveTree(
  world: EngineWorld,
  { parentId, width, childId = 'child' }: { parentId: string; width: number; childId?: string },
): Promise<DurableTaskHandle<unknown>> {
  const maker = world.newExecutor()
  const child = defineEcho(maker, childId)
  const children = Array.from({ length: width }, (_, input) => ({
    task: child,
    input,
    options: { sleepMsBeforeRun: 2_000 },
  }))
  const parent = defineParentOf(maker, parentId, children)
  await maker.start()
  const handle = await maker.enqueueTask(parent, undefined)
  await untilStatus(world, handle, 'waiting_for_children_tasks')
  await world.until(maker.shutdown())
  return handle
}

/** An executor that knows the children and not the parent runs all of them. */
export async function runChildren(world: EngineWorld, childId: string = 'child'): Promise<DurableExecutor> {
  const runner = world.newExecutor()
  defineEcho(runner, childId)
  await runner.start()
  await untilTrue(world, async () => {
    const rows = await world.rows()
    return rows.every((row) => row.taskId !== childId || row.status === 'completed')
  })
  return runner
}
