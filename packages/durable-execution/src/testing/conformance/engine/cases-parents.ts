/** Cases: parents whose children all end well. */

import assert from 'node:assert/strict'

import { createFaultyStorage } from '../../faults.ts'
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

const fanOutCases: Array<EngineConformanceCase> = [
  engineCase('parent.fan_out', 'a parent that has run waits, with its output and all of its children', async (world) => {
    const executor = world.newExecutor()
    const gate = createGate()
    const child = defineGated(executor, 'child', gate)
    const parent = defineParentOf(executor, 'parent', ['a', 'b', 'c'].map((input) => ({ task: child, input })))
    await executor.start()
    const handle = await executor.enqueueTask(parent, 1)
    await untilTrue(world, () => gate.arrivedIds.length === 3)
    const row = await world.row(handle.getTaskExecutionId())
    const children = await childrenOf(world, row.executionId)
    assert.equal(row.status, 'waiting_for_children_tasks')
    assert.equal(row.runOutput, '"parent has run"')
    assert.deepEqual(children.map(({ runInput }) => runInput), ['"a"', '"b"', '"c"'])
    assert.deepEqual(
      row.childrenTasks,
      children.map(({ executionId }) => ({ taskId: 'child', executionId })),
    )
    assert.equal(row.expiresAt, undefined)
    gate.open()
    outputOf(await world.finish(handle))
  }),

  engineCase('parent.fan_out', 'a fan-out that could not be committed leaves no children, and is written again whole', async (world) => {
    const storage = createFaultyStorage(world.storage)
    const executor = world.newExecutor({ storage })
    const child = defineEcho(executor, 'child')
    let runs = 0
    const parent = executor.parentTask({
      id: 'parent',
      timeoutMs: 60_000,
      runParent: () => {
        runs += 1
        return { output: 0, childrenTasks: [1, 2, 3].map((input) => ({ task: child, input })) }
      },
    })
    const handle = await executor.enqueueTask(parent, undefined)
    let failures = 0
    storage.failAtCommitWhen(({ operations }) => {
      const isFanOut = operations.includes('insertTaskExecutions')
      failures += isFanOut ? 1 : 0
      return isFanOut && failures <= 2 ? 'lost_in_between' : undefined
    })
    await executor.start()
    outputOf(await world.finish(handle))
    assert.equal(runs, 1)
    assert.equal(failures, 3)
    assert.equal((await world.rows()).length, 4)
  }),

  engineCase('parent.fan_out', 'a fan-out whose reply was lost is not written twice', async (world) => {
    const storage = createFaultyStorage(world.storage)
    const executor = world.newExecutor({ storage })
    const parent = defineParentOf(executor, 'parent', [{ task: defineEcho(executor, 'child'), input: 1 }])
    const handle = await executor.enqueueTask(parent, undefined)
    let isLost = false
    storage.failAtCommitWhen(({ operations }) => {
      const isFirst = !isLost && operations.includes('insertTaskExecutions')
      isLost ||= isFirst
      return isFirst ? 'lost_reply' : undefined
    })
    await executor.start()
    outputOf(await world.finish(handle))
    assert.equal(isLost, true)
    assert.equal((await world.rows()).length, 2)
  }),

  engineCase('parent.places', 'a child names its parent, and the top of its tree as its root', async (world) => {
    const executor = world.newExecutor()
    const leaf = defineEcho(executor, 'leaf')
    const middle = defineParentOf(executor, 'middle', [{ task: leaf, input: 1 }])
    const top = defineParentOf(executor, 'top', [{ task: middle, input: 1 }])
    await executor.start()
    const handle = await executor.enqueueTask(top, undefined)
    await world.finish(handle)
    const root = { taskId: 'top', executionId: handle.getTaskExecutionId() }
    const [middleRow] = await childrenOf(world, root.executionId)
    const [leafRow] = await childrenOf(world, middleRow?.executionId ?? '')
    const topRow = await world.row(root.executionId)
    assert.deepEqual([topRow.rootTask, topRow.parentTask], [undefined, undefined])
    assert.deepEqual([middleRow?.rootTask, middleRow?.parentTask], [root, root])
    assert.deepEqual(leafRow?.rootTask, root)
    assert.deepEqual(leafRow.parentTask, { taskId: 'middle', executionId: middleRow?.executionId })
  }),

  engineCase('parent.child_options', 'each child takes its own options, and its task’s where it has none', async (world) => {
    const executor = world.newExecutor()
    const child = executor.task({
      id: 'child',
      timeoutMs: 4_000,
      retryOptions: { maxAttempts: 1 },
      run: (_ctx, input: string) => input,
    })
    const options = { timeoutMs: 9_000, sleepMsBeforeRun: 5_000, retryOptions: { maxAttempts: 7, baseDelayMs: 3 } }
    const parent = defineParentOf(executor, 'parent', [
      { task: child, input: 'as the task says' },
      { task: child, input: 'as the parent says', options },
    ])
    await executor.start()
    const handle = await executor.enqueueTask(parent, undefined)
    await world.finish(handle)
    const [first, second] = await childrenOf(world, handle.getTaskExecutionId())
    assert.deepEqual(
      [first?.timeoutMs, first?.sleepMsBeforeRun, first?.retryOptions],
      [4_000, 0, { maxAttempts: 1 }],
    )
    assert.deepEqual([second?.timeoutMs, second?.sleepMsBeforeRun], [9_000, 5_000])
    assert.deepEqual(second?.retryOptions, options.retryOptions)
    const sleptMs = (second.startedAt?.getTime() ?? 0) - second.createdAt.getTime()
    assert.ok(sleptMs >= 5_000 && sleptMs < 6_000, `it slept ${sleptMs} ms`)
  }),
]

const noChildrenCases: Array<EngineConformanceCase> = [
  ...([undefined, null, []] as const).map((childrenTasks) =>
    engineCase(
      'parent.no_children',
      `a parent that returns ${childrenTasks === undefined ? 'no list' : JSON.stringify(childrenTasks)} of children is completed at once`,
      async (world) => {
        const executor = world.newExecutor()
        const parent = executor.parentTask({
          id: 'parent',
          timeoutMs: 60_000,
          runParent: () => ({ output: 'alone', childrenTasks: childrenTasks === undefined ? undefined : childrenTasks && [] }),
        })
        await executor.start()
        const handle = await executor.enqueueTask(parent, undefined)
        const execution = await world.finish(handle)
        assert.deepEqual(outputOf(execution), { output: 'alone', childrenTasksOutputs: [] })
        assert.deepEqual(execution.status === 'completed' && execution.childrenTasks, [])
        assert.equal((await world.rows()).length, 1)
      },
    ),
  ),

  engineCase('parent.no_children', 'a parent without children goes straight on to its finalize task', async (world) => {
    const executor = world.newExecutor()
    const parent = executor.parentTask({
      id: 'parent',
      timeoutMs: 60_000,
      runParent: (_ctx, input: string) => ({ output: input.length }),
      finalizeTask: { id: 'finalize', timeoutMs: 60_000, run: (_ctx, given) => given },
    })
    await executor.start()
    const execution = await world.finish(await executor.enqueueTask(parent, 'four'))
    assert.deepEqual(outputOf(execution), { input: 'four', output: 4, childrenTasksOutputs: [] })
  }),
]

const outputCases: Array<EngineConformanceCase> = [
  engineCase('parent.default_output', 'without a finalize task the output is that of the run and of the children', async (world) => {
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
        { index: 0, taskId: 'child', executionId: children[0]?.executionId, output: { deep: [1, new Date(5)] } },
        { index: 1, taskId: 'child', executionId: children[1]?.executionId, output: undefined },
      ],
    })
  }),

  engineCase('parent.outputs_in_order', 'outputs are in the order the children were returned, whatever order they end in', async (world) => {
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
    assert.deepEqual(output.childrenTasksOutputs.map((one) => one.output), [0, 1, 2, 3])
  }),

  engineCase('parent.plain_output', 'the output of a plain task is what its run returned', async (world) => {
    const executor = world.newExecutor()
    const plain = defineEcho(executor, 'plain')
    await executor.start()
    const handle = await executor.enqueueTask(plain, { a: 1 })
    const execution = await world.finish(handle)
    assert.deepEqual(outputOf(execution), { a: 1 })
    assert.deepEqual(execution.status === 'completed' && execution.runOutput, { a: 1 })
  }),

  engineCase('parent.counting', 'a thousand children that end in batches are counted exactly', async (world) => {
    const executor = world.newExecutor({ maxConcurrentTaskExecutions: 130 })
    const child = defineEcho(executor, 'child')
    const parent = defineParentOf(
      executor,
      'parent',
      Array.from({ length: 1_000 }, (_, index) => ({ task: child, input: index })),
    )
    await executor.start()
    const handle = await executor.enqueueTask(parent, undefined)
    const output = outputOf(await world.finish(handle))
    assert.deepEqual(output.childrenTasksOutputs.map((one) => one.output), Array.from({ length: 1_000 }, (_, i) => i))
    assert.equal((await world.row(handle.getTaskExecutionId())).childrenTasksCompletedCount, 1_000)
  }),

  engineCase('parent.counting', 'children that end one by one on two executors are counted exactly', async (world) => {
    const executors = [world.newExecutor({ maxConcurrentTaskExecutions: 3 }), world.newExecutor({ maxConcurrentTaskExecutions: 2 })]
    const [parent] = executors.map((executor) => {
      const child = defineEcho(executor, 'child')
      return defineParentOf(executor, 'parent', Array.from({ length: 30 }, (_, input) => ({ task: child, input })))
    })
    assert.ok(parent)
    const handle = await executors[0]?.enqueueTask(parent, undefined)
    assert.ok(handle)
    await Promise.all(executors.map((executor) => executor.start()))
    outputOf(await world.finish(handle))
    assert.equal((await world.row(handle.getTaskExecutionId())).childrenTasksCompletedCount, 30)
  }),

  engineCase('parent.child_is_parent', 'a child may be a parent, and its output is what its own children made of it', async (world) => {
    const executor = world.newExecutor()
    const leaf = defineEcho(executor, 'leaf')
    const middle = defineParentOf(executor, 'middle', [{ task: leaf, input: 'deep' }])
    const top = defineParentOf(executor, 'top', [{ task: middle, input: 1 }, { task: leaf, input: 'flat' }])
    await executor.start()
    const { childrenTasksOutputs } = outputOf(await world.finish(await executor.enqueueTask(top, undefined)))
    const [first, second] = childrenTasksOutputs.map((one) => one.output)
    const inner = first as { output: string; childrenTasksOutputs: Array<{ output: unknown }> }
    assert.equal(inner.output, 'middle has run')
    assert.deepEqual(inner.childrenTasksOutputs.map((one) => one.output), ['deep'])
    assert.equal(second, 'flat')
  }),

  engineCase('parent.moves_at_once', 'the parent goes on in the moment its last child ends', async (world) => {
    const executor = world.newExecutor()
    const gate = createGate()
    const parent = defineParentOf(executor, 'parent', [{ task: defineGated(executor, 'child', gate), input: 'x' }])
    await executor.start()
    const handle = await executor.enqueueTask(parent, undefined)
    await untilStatus(world, handle, 'waiting_for_children_tasks')
    await untilTrue(world, () => gate.arrivedIds.length === 1)
    gate.open()
    const openedAt = world.clock.monotonicNow()
    await world.clock.settle()
    assert.equal((await world.row(handle.getTaskExecutionId())).status, 'completed')
    assert.ok(world.clock.monotonicNow() - openedAt <= 50)
  }),
]

/** Parents whose children end well. */
export const PARENT_CASES: ReadonlyArray<EngineConformanceCase> = [...fanOutCases, ...noChildrenCases, ...outputCases]
