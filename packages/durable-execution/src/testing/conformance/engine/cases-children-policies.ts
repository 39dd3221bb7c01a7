/** Cases: parents that go on though some of their children end badly. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import {
  type DurableChildTask,
  type DurableChildTaskExecutionEnd,
  type DurableSettlingChildrenPolicy,
  type DurableTask,
} from '../../../task/define.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  childrenOf,
  createGate,
  defineEcho,
  defineFailing,
  defineGated,
  outputOf,
  untilAllClosed,
  untilTrue,
} from './trees.ts'
import { type EngineWorld } from './world.ts'

type End = DurableChildTaskExecutionEnd

/** A parent under the policy whose finalize task gives what it was given. */
export function defineSettling(
  { toleratedFailures }: EngineWorld,
  executor: DurableExecutor,
  childrenPolicy: DurableSettlingChildrenPolicy,
  childrenTasks: Array<DurableChildTask>,
): DurableTask<string, { input: string; output: number; childrenTasksOutputs: Array<End> }> {
  const tolerated = childrenPolicy === 'settle' ? Infinity : childrenPolicy.tolerateFailures
  toleratedFailures.set('parent', tolerated)
  return executor.parentTask({
    id: 'parent',
    timeoutMs: 60_000,
    childrenPolicy,
    runParent: (_ctx, input: string) => ({ output: input.length, childrenTasks }),
    finalizeTask: { id: 'last', timeoutMs: 60_000, run: (_ctx, given) => given },
  })
}

/** How a child ended, in short. */
export function shortly(end: End): string {
  return end.status === 'completed' ? `completed ${String(end.output)}` : `${end.status} ${end.error.message}`
}

export const CHILDREN_POLICY_CASES: ReadonlyArray<EngineConformanceCase> = [
  engineCase(
    'policy.settle',
    'the finalize task runs when all children have ended, and is given how each did, in their order',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const failing = defineFailing(executor, 'failing')
      const late = executor.task({
        id: 'late',
        timeoutMs: 100,
        run: async (ctx) => await gate.pass(ctx),
      })
      const inner = executor.parentTask({
        id: 'inner',
        timeoutMs: 1_000,
        runParent: () => ({ output: 0, childrenTasks: [{ task: failing, input: 'deep' }] }),
      })
      const parent = defineSettling(world, executor, 'settle', [
        { task: failing, input: 'first', options: { sleepMsBeforeRun: 5_000 } },
        { task: defineEcho(executor, 'echo'), input: 'fine' },
        { task: late, input: undefined },
        { task: inner, input: undefined },
      ])
      await executor.start()
      const handle = await executor.enqueueTask(parent, 'four')
      const { input, output, childrenTasksOutputs } = outputOf(await world.finish(handle))
      assert.deepEqual([input, output], ['four', 4])
      const children = await childrenOf(world, handle.getTaskExecutionId())
      assert.deepEqual(
        childrenTasksOutputs.map(({ index, taskId, executionId }) => [index, taskId, executionId]),
        children.map(({ taskId, executionId }, index) => [index, taskId, executionId]),
      )
      const deep = children[3]?.childrenTasks?.[0]?.executionId
      assert.deepEqual(childrenTasksOutputs.map(shortly), [
        'failed first',
        'completed fine',
        'timed_out Task timed out',
        `children_tasks_failed Children task errors:\n  Child task with id ${deep} failed: deep`,
      ])
      const [first] = childrenTasksOutputs
      assert.deepEqual(first?.status === 'failed' && first.error, {
        errorType: 'generic',
        message: 'first',
        isRetryable: true,
      })
      await untilAllClosed(world)
    },
  ),

  engineCase(
    'policy.settle',
    'a parent all of whose children fail goes on too, and so does one whose child is cancelled',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const gated = defineGated(executor, 'gated', gate)
      const parent = defineSettling(world, executor, 'settle', [
        { task: defineFailing(executor, 'failing'), input: 'no' },
        { task: gated, input: 'held' },
      ])
      await executor.start()
      const handle = await executor.enqueueTask(parent, '')
      await untilTrue(world, () => gate.arrivedIds.length === 1)
      const child = await executor.getTaskHandle(gated, gate.arrivedIds[0] ?? '')
      assert.equal(await world.until(child.cancel()), true)
      const { childrenTasksOutputs } = outputOf(await world.finish(handle))
      assert.deepEqual(childrenTasksOutputs.map(shortly), ['failed no', 'cancelled Task cancelled'])
    },
  ),

  engineCase(
    'policy.default_output',
    'without a finalize task the output says how each child ended',
    async (world) => {
      world.toleratedFailures.set('parent', Infinity).set('none', Infinity)
      const executor = world.newExecutor()
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 1_000,
        childrenPolicy: 'settle',
        runParent: () => ({
          output: 'run',
          childrenTasks: [
            { task: defineFailing(executor, 'failing'), input: 'no' },
            { task: defineEcho(executor, 'echo'), input: 1 },
          ],
        }),
      })
      const none = executor.parentTask({
        id: 'none',
        timeoutMs: 1_000,
        childrenPolicy: 'settle',
        runParent: () => ({ output: 'run' }),
      })
      await executor.start()
      const end = outputOf(await world.finish(await executor.enqueueTask(parent, undefined)))
      assert.equal(end.output, 'run')
      assert.deepEqual(end.childrenTasksOutputs.map(shortly), ['failed no', 'completed 1'])
      assert.deepEqual(outputOf(await world.finish(await executor.enqueueTask(none, undefined))), {
        output: 'run',
        childrenTasksOutputs: [],
      })
    },
  ),
]

/** The rules of policies. */
export const CHILDREN_POLICY_RULES: Record<string, string> = {
  'policy.settle':
    'with the policy `settle` a parent goes on when all children have ended, and its finalize task is given how each did',
  'policy.default_output': 'without a finalize task the output of such a parent says how each child ended',
  'policy.tolerate':
    'with `tolerateFailures` so many children may end badly as with `settle`, and one more ends the parent',
  'policy.many': 'children that end badly are counted, however many they are',
  'policy.lost_replies': 'a child that ended badly is counted once',
  'policy.refused': 'a policy is `fail_fast`, `settle` or `tolerateFailures` with an integer, 0 or more',
}
