/** Cases: children that end badly, and what that does to their parent and their siblings. */

import assert from 'node:assert/strict'

import { DurableExecutionCancelledError } from '../../../base/errors.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  childrenOf,
  createGate,
  defineEcho,
  defineFailing,
  defineGated,
  defineParentOf,
  untilAllClosed,
  untilTrue,
} from './trees.ts'

/** What a child that ends badly does to its parent and its siblings. */
export const FAILING_CHILDREN_CASES: ReadonlyArray<EngineConformanceCase> = [
  engineCase(
    'parent.first_failure',
    'the first child that ends badly ends its parent, with its place and its error',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const parent = defineParentOf(executor, 'parent', [
        { task: defineGated(executor, 'slow', gate), input: 'never' },
        { task: defineFailing(executor, 'failing'), input: 'out of paper' },
      ])
      await executor.start()
      const handle = await executor.enqueueTask(parent, undefined)
      const execution = await world.finish(handle)
      const [, failing] = await childrenOf(world, handle.getTaskExecutionId())
      assert.equal(execution.status, 'children_tasks_failed')
      assert.deepEqual(
        execution.childrenTasksErrors.map(({ error, ...place }) => ({ ...place, message: error.message })),
        [{ index: 1, taskId: 'failing', executionId: failing?.executionId, message: 'out of paper' }],
      )
    },
  ),

  engineCase(
    'parent.first_failure',
    'a child that was cancelled ends its parent like any that ended badly',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const child = defineGated(executor, 'child', gate)
      const parent = defineParentOf(executor, 'parent', [{ task: child, input: 'x' }])
      await executor.start()
      const handle = await executor.enqueueTask(parent, undefined)
      await untilTrue(world, () => gate.arrivedIds.length === 1)
      const childHandle = await executor.getTaskHandle(child, gate.arrivedIds[0] ?? '')
      assert.equal(await world.until(childHandle.cancel()), true)
      const execution = await world.finish(handle)
      assert.equal(execution.status, 'children_tasks_failed')
      assert.deepEqual(
        execution.childrenTasksErrors.map(({ error }) => error.getErrorType()),
        ['cancelled'],
      )
    },
  ),

  engineCase(
    'parent.first_failure',
    'a task that borrows the message of a cascade still ends its parent',
    async (world) => {
      const executor = world.newExecutor()
      const child = executor.task({
        id: 'child',
        timeoutMs: 60_000,
        run: (_ctx, parentId: string): never => {
          throw new DurableExecutionCancelledError(
            `Parent task parent with execution id ${parentId} failed: no`,
          )
        },
      })
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 60_000,
        runParent: (ctx) => ({ output: 0, childrenTasks: [{ task: child, input: ctx.executionId }] }),
      })
      await executor.start()
      const execution = await world.finish(await executor.enqueueTask(parent, undefined), 60_000)
      assert.equal(execution.status, 'children_tasks_failed')
    },
    { breaksInvariants: 'the message is what the invariants know a cascade by' },
  ),

  engineCase(
    'parent.siblings_cancelled',
    'the siblings still active are cancelled, those that are done are left alone',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const echo = defineEcho(executor, 'echo')
      const parent = defineParentOf(executor, 'parent', [
        { task: echo, input: 1 },
        { task: echo, input: 2, options: { sleepMsBeforeRun: 60_000 } },
        { task: defineGated(executor, 'slow', gate), input: 'x' },
        { task: defineFailing(executor, 'failing'), input: 'no', options: { sleepMsBeforeRun: 5_000 } },
      ])
      await executor.start()
      const handle = await executor.enqueueTask(parent, undefined)
      assert.equal((await world.finish(handle)).status, 'children_tasks_failed')
      await untilAllClosed(world)
      const children = await childrenOf(world, handle.getTaskExecutionId())
      assert.deepEqual(
        children.map(({ status }) => status),
        ['completed', 'cancelled', 'cancelled', 'failed'],
      )
      assert.equal(gate.toldToStopIds.length, 1)
      const message = `Parent task parent with execution id ${handle.getTaskExecutionId()} failed: Children task errors:\n  Child task with id ${children[3]?.executionId} failed: no`
      assert.deepEqual(children[1]?.error, { errorType: 'cancelled', message, isRetryable: false })
    },
  ),

  engineCase(
    'parent.cascaded_not_added',
    'siblings cancelled by the cascade are not among the errors',
    async (world) => {
      const executor = world.newExecutor()
      const sleeping = { task: defineEcho(executor, 'echo'), input: 1, options: { sleepMsBeforeRun: 60_000 } }
      const parent = defineParentOf(executor, 'parent', [
        { task: defineParentOf(executor, 'middle', [sleeping]), input: 1 },
        ...Array.from({ length: 4 }, () => sleeping),
        { task: defineFailing(executor, 'failing'), input: 'no', options: { sleepMsBeforeRun: 1_000 } },
      ])
      await executor.start()
      const handle = await executor.enqueueTask(parent, undefined)
      await world.finish(handle)
      await untilAllClosed(world)
      const row = await world.row(handle.getTaskExecutionId())
      assert.deepEqual(
        row.childrenTasksErrors?.map(({ index }) => index),
        [5],
      )
    },
  ),

  engineCase(
    'parent.later_errors',
    'children that end badly by themselves are added later, each once',
    async (world) => {
      const executor = world.newExecutor()
      const failing = defineFailing(executor, 'failing')
      const parent = defineParentOf(
        executor,
        'parent',
        ['a', 'b', 'c'].map((input) => ({ task: failing, input })),
      )
      await executor.start()
      const handle = await executor.enqueueTask(parent, undefined)
      await world.finish(handle)
      await untilAllClosed(world)
      const { childrenTasksErrors } = await world.row(handle.getTaskExecutionId())
      assert.deepEqual(childrenTasksErrors?.map(({ error }) => error.message).toSorted(), ['a', 'b', 'c'])
      assert.deepEqual(new Set(childrenTasksErrors.map(({ index }) => index)), new Set([0, 1, 2]))
    },
  ),

  engineCase('parent.errors_limit', 'at most a hundred errors of children are kept', async (world) => {
    const executor = world.newExecutor({ maxConcurrentTaskExecutions: 200 })
    const failing = defineFailing(executor, 'failing')
    const parent = defineParentOf(
      executor,
      'parent',
      Array.from({ length: 130 }, (_, index) => ({ task: failing, input: `${index}` })),
    )
    await executor.start()
    const handle = await executor.enqueueTask(parent, undefined)
    await world.finish(handle)
    await untilAllClosed(world)
    const { childrenTasksErrors } = await world.row(handle.getTaskExecutionId())
    assert.equal(childrenTasksErrors?.length, 100)
    assert.equal(new Set(childrenTasksErrors.map((error) => error.executionId)).size, 100)
  }),

  engineCase(
    'parent.later_errors',
    'a settle of failed children whose reply was lost adds no error twice',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const executor = world.newExecutor({ storage })
      const failing = defineFailing(executor, 'failing')
      const parent = defineParentOf(
        executor,
        'parent',
        ['a', 'b'].map((input) => ({ task: failing, input })),
      )
      const handle = await executor.enqueueTask(parent, undefined)
      let writes = 0
      storage.failAtCommitWhen(({ operations }) => {
        const isWrite = operations.some((name) => /^update|^lock/.test(name))
        writes += isWrite ? 1 : 0
        return isWrite && writes % 2 === 0 ? 'lost_reply' : undefined
      })
      await executor.start()
      await world.finish(handle)
      storage.failAtCommitWhen(undefined)
      await untilAllClosed(world)
      const { childrenTasksErrors } = await world.row(handle.getTaskExecutionId())
      const ids = childrenTasksErrors?.map((error) => error.executionId) ?? []
      assert.equal(new Set(ids).size, ids.length)
    },
  ),
]
