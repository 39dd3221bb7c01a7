/** Cases: finalize tasks with children and finalize tasks of their own. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableTask } from '../../../task/define.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { defineEcho, outputOf, untilAllClosed } from './trees.ts'

const outputsIn = (given: { childrenTasksOutputs: Array<{ output: unknown }> }): Array<unknown> =>
  given.childrenTasksOutputs.map((one) => one.output)

/** A parent whose finalize task is a parent with two children, and has a finalize task that is one again. */
function defineNested(executor: DurableExecutor, last: () => unknown): DurableTask<string, unknown> {
  const child = defineEcho(executor, 'child')
  const two = (prefix: string): Array<{ task: typeof child; input: string }> =>
    [1, 2].map((index) => ({ task: child, input: `${prefix}${index}` }))
  return executor.parentTask<string, string, unknown, string>({
    id: 'parent',
    timeoutMs: 60_000,
    runParent: (_ctx, input) => ({ output: input, childrenTasks: two('a') }),
    finalizeTask: {
      id: 'second',
      timeoutMs: 60_000,
      runParent: (_ctx, given) => ({ output: outputsIn(given).join(), childrenTasks: two('b') }),
      finalizeTask: {
        id: 'third',
        timeoutMs: 60_000,
        runParent: (_ctx, given) => {
          last()
          return { output: `${given.output};${outputsIn(given).join()}`, childrenTasks: two('c') }
        },
        finalizeTask: {
          id: 'fourth',
          timeoutMs: 60_000,
          run: (_ctx, given) => `${String(given.output)};${outputsIn(given).join()}`,
        },
      },
    },
  })
}

/** What nested finalize tasks do. */
export const NESTED_FINALIZE_CASES: ReadonlyArray<EngineConformanceCase> = [
  engineCase(
    'finalize.nested',
    'finalize tasks with children and finalize tasks of their own make the output of the top',
    async (world) => {
      const executor = world.newExecutor()
      const parent = defineNested(executor, () => {})
      await executor.start()
      const handle = await executor.enqueueTask(parent, 'x')
      assert.equal(outputOf(await world.finish(handle)), 'a1,a2;b1,b2;c1,c2')
      const rows = await untilAllClosed(world)
      assert.equal(rows.length, 10)
      assert.ok(rows.every(({ status }) => status === 'completed'))
      const rootIds = rows.map((row) => row.rootTask?.executionId ?? row.executionId)
      assert.deepEqual(new Set(rootIds), new Set([handle.getTaskExecutionId()]))
    },
  ),

  engineCase(
    'finalize.nested',
    'a failure deep in nested finalize tasks goes up to the top',
    async (world) => {
      const executor = world.newExecutor()
      const parent = defineNested(executor, () => {
        throw new Error('third time unlucky')
      })
      await executor.start()
      const handle = await executor.enqueueTask(parent, 'x')
      const execution = await world.finish(handle)
      assert.equal(execution.status, 'finalize_task_failed')
      assert.match(
        execution.finalizeTaskError.message,
        /^Finalize task with id te_\w+ failed: third time unlucky$/,
      )
      const rows = await untilAllClosed(world)
      const statusOf = (taskId: string): string | undefined =>
        rows.find((row) => row.taskId === taskId)?.status
      assert.deepEqual(['parent', 'second', 'third', 'fourth'].map(statusOf), [
        'finalize_task_failed',
        'finalize_task_failed',
        'failed',
        undefined,
      ])
    },
  ),
]
