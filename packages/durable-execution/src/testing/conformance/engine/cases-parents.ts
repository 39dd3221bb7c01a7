/** Cases: parents whose children all end well. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  childrenOf,
  createGate,
  defineEcho,
  defineGated,
  defineParentOf,
  outputOf,
  untilStatus,
  untilTrue,
} from './trees.ts'

/** What parents make of children that end well. */
export const PARENT_CASES: ReadonlyArray<EngineConformanceCase> = [
  engineCase(
    'parent.default_output',
    'without a finalize task the output is that of the run and of the children',
    async (world) => {
      const executor = world.newExecutor()
      const child = defineEcho(executor, 'child')
      const parent = defineParentOf(executor, 'parent', [
        { task: child, input: { deep: [1, new Date(5)] } },
        { task: child, input: undefined },
      ])
      await executor.start()
      const handle = await executor.enqueueTask(parent, undefined)
      const output = outputOf(await world.finish(handle))
      const children = await childrenOf(world, handle.getTaskExecutionId())
      assert.deepEqual(output, {
        output: 'parent has run',
        childrenTasksOutputs: [
          {
            index: 0,
            taskId: 'child',
            executionId: children[0]?.executionId,
            output: { deep: [1, new Date(5)] },
          },
          { index: 1, taskId: 'child', executionId: children[1]?.executionId, output: undefined },
        ],
      })
    },
  ),

  engineCase(
    'parent.outputs_in_order',
    'outputs are in the order the children were returned, whatever order they end in',
    async (world) => {
      const executor = world.newExecutor()
      const child = defineEcho(executor, 'child')
      const parent = defineParentOf(
        executor,
        'parent',
        [3_000, 1_000, 2_000, 0].map((sleepMsBeforeRun, index) => ({
          task: child,
          input: index,
          options: { sleepMsBeforeRun },
        })),
      )
      await executor.start()
      const output = outputOf(await world.finish(await executor.enqueueTask(parent, undefined)))
      assert.deepEqual(
        output.childrenTasksOutputs.map((one) => one.output),
        [0, 1, 2, 3],
      )
    },
  ),

  engineCase('parent.plain_output', 'the output of a plain task is what its run returned', async (world) => {
    const executor = world.newExecutor()
    const plain = defineEcho(executor, 'plain')
    await executor.start()
    const handle = await executor.enqueueTask(plain, { a: 1 })
    const execution = await world.finish(handle)
    assert.deepEqual(outputOf(execution), { a: 1 })
    assert.deepEqual(execution.status === 'completed' && execution.runOutput, { a: 1 })
  }),

  engineCase(
    'parent.counting',
    'a thousand children that end in batches are counted exactly',
    async (world) => {
      const executor = world.newExecutor({ maxConcurrentTaskExecutions: 130 })
      let runs = 0
      const child = executor.task({
        id: 'child',
        timeoutMs: 60_000,
        run: () => {
          runs += 1
        },
      })
      const children = Array.from({ length: 1_000 }, () => ({ task: child, input: undefined }))
      await executor.start()
      const handle = await executor.enqueueTask(defineParentOf(executor, 'parent', children), undefined)
      const { childrenTasksOutputs } = outputOf(await world.finish(handle))
      assert.equal(childrenTasksOutputs.length, 1_000)
      assert.equal((await world.row(handle.getTaskExecutionId())).childrenTasksCompletedCount, 1_000)
      assert.equal(runs, 1_000)
    },
  ),

  engineCase(
    'parent.counting',
    'children that end one by one on two executors are counted exactly',
    async (world) => {
      const executors = [
        world.newExecutor({ maxConcurrentTaskExecutions: 3 }),
        world.newExecutor({ maxConcurrentTaskExecutions: 2 }),
      ]
      const [parent] = executors.map((executor) => {
        const child = defineEcho(executor, 'child')
        return defineParentOf(
          executor,
          'parent',
          Array.from({ length: 30 }, (_, input) => ({ task: child, input })),
        )
      })
      assert.ok(parent)
      const handle = await executors[0]?.enqueueTask(parent, undefined)
      assert.ok(handle)
      await Promise.all(executors.map((executor) => executor.start()))
      outputOf(await world.finish(handle))
      assert.equal((await world.row(handle.getTaskExecutionId())).childrenTasksCompletedCount, 30)
    },
  ),

  engineCase(
    'parent.child_is_parent',
    'a child may be a parent, and its output is what its own children made of it',
    async (world) => {
      const executor = world.newExecutor()
      const leaf = defineEcho(executor, 'leaf')
      const middle = defineParentOf(executor, 'middle', [{ task: leaf, input: 'deep' }])
      const top = defineParentOf(executor, 'top', [
        { task: middle, input: 1 },
        { task: leaf, input: 'flat' },
      ])
      await executor.start()
      const { childrenTasksOutputs } = outputOf(
        await world.finish(await executor.enqueueTask(top, undefined)),
      )
      const [first, second] = childrenTasksOutputs.map((one) => one.output)
      const inner = first as { output: string; childrenTasksOutputs: Array<{ output: unknown }> }
      assert.equal(inner.output, 'middle has run')
      assert.deepEqual(
        inner.childrenTasksOutputs.map((one) => one.output),
        ['deep'],
      )
      assert.equal(second, 'flat')
    },
  ),

  engineCase(
    'parent.moves_at_once',
    'the parent goes on in the moment its last child ends',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const parent = defineParentOf(executor, 'parent', [
        { task: defineGated(executor, 'child', gate), input: 'x' },
      ])
      await executor.start()
      const handle = await executor.enqueueTask(parent, undefined)
      await untilStatus(world, handle, 'waiting_for_children_tasks')
      await untilTrue(world, () => gate.arrivedIds.length === 1)
      gate.open()
      const openedAt = world.clock.monotonicNow()
      await world.clock.settle()
      assert.equal((await world.row(handle.getTaskExecutionId())).status, 'completed')
      assert.ok(world.clock.monotonicNow() - openedAt <= 50)
    },
  ),
]
