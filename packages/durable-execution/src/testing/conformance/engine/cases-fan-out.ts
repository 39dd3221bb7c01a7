/** Cases: what a parent that has run leaves behind: children in one transaction, or none. */

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
  untilTrue,
} from './trees.ts'

const fanOutCases: Array<EngineConformanceCase> = [
  engineCase(
    'parent.fan_out',
    'a parent that has run waits, with its output and all of its children',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const child = defineGated(executor, 'child', gate)
      const parent = defineParentOf(
        executor,
        'parent',
        ['a', 'b', 'c'].map((input) => ({ task: child, input })),
      )
      await executor.start()
      const handle = await executor.enqueueTask(parent, 1)
      await untilTrue(world, () => gate.arrivedIds.length === 3)
      const row = await world.row(handle.getTaskExecutionId())
      const children = await childrenOf(world, row.executionId)
      assert.equal(row.status, 'waiting_for_children_tasks')
      assert.equal(row.runOutput, '"parent has run"')
      assert.deepEqual(
        children.map(({ runInput }) => runInput),
        ['"a"', '"b"', '"c"'],
      )
      assert.deepEqual(
        row.childrenTasks,
        children.map(({ executionId }) => ({ taskId: 'child', executionId })),
      )
      assert.equal(row.expiresAt, undefined)
      gate.open()
      outputOf(await world.finish(handle))
    },
  ),

  engineCase(
    'parent.fan_out',
    'a fan-out that could not be committed leaves no children, and is written again whole',
    async (world) => {
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
    },
  ),

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

  engineCase(
    'parent.places',
    'a child names its parent, and the top of its tree as its root',
    async (world) => {
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
    },
  ),

  engineCase(
    'parent.child_options',
    'each child takes its own options, and its task’s where it has none',
    async (world) => {
      const executor = world.newExecutor()
      const child = executor.task({
        id: 'child',
        timeoutMs: 4_000,
        retryOptions: { maxAttempts: 1 },
        run: (_ctx, input: string) => input,
      })
      const options = {
        timeoutMs: 9_000,
        sleepMsBeforeRun: 5_000,
        retryOptions: { maxAttempts: 7, baseDelayMs: 3 },
      }
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
    },
  ),
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
          runParent: () => ({
            output: 'alone',
            childrenTasks: childrenTasks === undefined ? undefined : childrenTasks && [],
          }),
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

  engineCase(
    'parent.no_children',
    'a parent without children goes straight on to its finalize task',
    async (world) => {
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
    },
  ),
]

/** How children appear. */
export const FAN_OUT_CASES: ReadonlyArray<EngineConformanceCase> = [...fanOutCases, ...noChildrenCases]
