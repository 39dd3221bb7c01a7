/** Cases: children that end badly, and children that cannot be had. */

import assert from 'node:assert/strict'

import { createDefaultSerializer, type Serializer } from '../../../base/serializer.ts'
import { DurableExecutionError } from '../../../base/errors.ts'
import { type DurableTaskExecution } from '../../../client/view.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  childrenOf,
  createGate,
  defineEcho,
  defineFailing,
  defineGated,
  defineParentOf,
  outputOf,
  untilAllClosed,
  untilTrue,
} from './trees.ts'

const asGiven = (value: unknown): never => value as never

/** How a failed execution failed. */
function errorOf(execution: DurableTaskExecution<unknown>): DurableExecutionError {
  assert.equal(execution.status, 'failed')
  return execution.error
}

const refusedCases: Array<EngineConformanceCase> = [
  engineCase('parent.unknown_child', 'a child whose task is not defined fails its parent for good', async (world) => {
    const executor = world.newExecutor()
    const parent = executor.parentTask({
      id: 'parent',
      timeoutMs: 60_000,
      retryOptions: { maxAttempts: 5 },
      runParent: () => ({ output: 0, childrenTasks: [{ task: defined, input: 1 }, { task: { id: 'nowhere' }, input: 1 }] }),
    })
    const defined = defineEcho(executor, 'defined')
    await executor.start()
    const execution = await world.finish(await executor.enqueueTask(parent, undefined))
    assert.match(errorOf(execution).message, /^Child task nowhere not found/)
    assert.equal(errorOf(execution).isRetryable, false)
    assert.equal(execution.retryAttempts, 0)
    assert.equal((await world.rows()).length, 1)
  }),

  engineCase('parent.child_input', 'the input of a child is validated when the parent has run, and stored as validated', async (world) => {
    const executor = world.newExecutor()
    const child = executor
      .validateInput((input: string) => {
        if (input === '') {
          throw new Error('empty')
        }
        return input.toUpperCase()
      })
      .task({ id: 'child', timeoutMs: 60_000, run: (_ctx, input) => input })
    const parent = executor.parentTask({
      id: 'parent',
      timeoutMs: 60_000,
      retryOptions: { maxAttempts: 5 },
      runParent: (_ctx, inputs: Array<string>) => ({ output: 0, childrenTasks: inputs.map((input) => ({ task: child, input })) }),
    })
    await executor.start()
    const good = outputOf(await world.finish(await executor.enqueueTask(parent, ['a', 'b'])))
    assert.deepEqual(good.childrenTasksOutputs.map((one) => one.output), ['A', 'B'])
    const bad = await world.finish(await executor.enqueueTask(parent, ['a', '']))
    assert.equal(errorOf(bad).message, 'Invalid input to task child: empty')
    assert.equal(errorOf(bad).isRetryable, false)
    assert.equal((await world.rows()).length, 4)
  }),

  engineCase('parent.child_input', 'an input of a child that cannot be serialized fails its parent for good', async (world) => {
    const executor = world.newExecutor()
    const child = defineEcho(executor, 'child')
    const parent = defineParentOf(executor, 'parent', [{ task: child, input: () => 'a function' }])
    await executor.start()
    const execution = await world.finish(await executor.enqueueTask(parent, undefined))
    assert.match(errorOf(execution).message, /^Error serializing value/)
    assert.equal((await world.rows()).length, 1)
  }),

  ...[
    { what: 'nothing', returned: undefined },
    { what: 'children that are no list', returned: { output: 1, childrenTasks: 'children' } },
    { what: 'a child without a task', returned: { output: 1, childrenTasks: [{ input: 1 }] } },
    { what: 'a child that is null', returned: { output: 1, childrenTasks: [null] } },
    { what: 'a child with wrong options', returned: { output: 1, childrenTasks: [{ task: { id: 'child' }, input: 1, options: { timeoutMs: 0 } }] } },
  ].map(({ what, returned }) =>
    engineCase('parent.malformed_children', `a parent that returns ${what} fails for good, and has no children`, async (world) => {
      const executor = world.newExecutor()
      defineEcho(executor, 'child')
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 60_000,
        retryOptions: { maxAttempts: 3 },
        runParent: () => asGiven(returned),
      })
      await executor.start()
      const execution = await world.finish(await executor.enqueueTask(parent, undefined))
      assert.equal(errorOf(execution).isRetryable, false)
      assert.equal((await world.rows()).length, 1)
    }),
  ),
]

const failingCases: Array<EngineConformanceCase> = [
  engineCase('parent.first_failure', 'the first child that ends badly ends its parent, with its place and its error', async (world) => {
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
  }),

  engineCase('parent.first_failure', 'a child that was cancelled ends its parent like any that ended badly', async (world) => {
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
    assert.deepEqual(execution.childrenTasksErrors.map(({ error }) => error.getErrorType()), ['cancelled'])
  }),

  engineCase('parent.first_failure', 'a task that borrows the message of a cascade still ends its parent', async (world) => {
    const executor = world.newExecutor()
    const { DurableExecutionCancelledError } = await import('../../../base/errors.ts')
    const child = executor.task({
      id: 'child',
      timeoutMs: 60_000,
      run: (_ctx, parentId: string): never => {
        throw new DurableExecutionCancelledError(`Parent task parent with execution id ${parentId} failed: no`)
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
  }, { breaksInvariants: 'the message is what the invariants know a cascade by' }),

  engineCase('parent.siblings_cancelled', 'the siblings still active are cancelled, those that are done are left alone', async (world) => {
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
    assert.deepEqual(children.map(({ status }) => status), ['completed', 'cancelled', 'cancelled', 'failed'])
    assert.equal(gate.toldToStopIds.length, 1)
    const message = `Parent task parent with execution id ${handle.getTaskExecutionId()} failed: Children task errors:\n  Child task with id ${children[3]?.executionId} failed: no`
    assert.deepEqual(children[1]?.error, { errorType: 'cancelled', message, isRetryable: false })
  }),

  engineCase('parent.cascaded_not_added', 'siblings cancelled by the cascade are not among the errors', async (world) => {
    const executor = world.newExecutor()
    const echo = defineEcho(executor, 'echo')
    const parent = defineParentOf(executor, 'parent', [
      ...Array.from({ length: 5 }, () => ({ task: echo, input: 1, options: { sleepMsBeforeRun: 60_000 } })),
      { task: defineFailing(executor, 'failing'), input: 'no' },
    ])
    await executor.start()
    const handle = await executor.enqueueTask(parent, undefined)
    await world.finish(handle)
    await untilAllClosed(world)
    const row = await world.row(handle.getTaskExecutionId())
    assert.deepEqual(row.childrenTasksErrors?.map(({ index }) => index), [5])
  }),

  engineCase('parent.later_errors', 'children that end badly by themselves are added later, each once', async (world) => {
    const executor = world.newExecutor()
    const failing = defineFailing(executor, 'failing')
    const parent = defineParentOf(executor, 'parent', ['a', 'b', 'c'].map((input) => ({ task: failing, input })))
    await executor.start()
    const handle = await executor.enqueueTask(parent, undefined)
    await world.finish(handle)
    await untilAllClosed(world)
    const { childrenTasksErrors } = await world.row(handle.getTaskExecutionId())
    assert.deepEqual(childrenTasksErrors?.map(({ error }) => error.message).toSorted(), ['a', 'b', 'c'])
    assert.deepEqual(childrenTasksErrors.map(({ index }) => index).toSorted(), [0, 1, 2])
  }),

  engineCase('parent.errors_limit', 'at most a hundred errors of children are kept', async (world) => {
    const executor = world.newExecutor({ maxConcurrentTaskExecutions: 200 })
    const failing = defineFailing(executor, 'failing')
    const parent = defineParentOf(executor, 'parent', Array.from({ length: 130 }, (_, index) => ({ task: failing, input: `${index}` })))
    await executor.start()
    const handle = await executor.enqueueTask(parent, undefined)
    await world.finish(handle)
    await untilAllClosed(world)
    const { childrenTasksErrors } = await world.row(handle.getTaskExecutionId())
    assert.equal(childrenTasksErrors?.length, 100)
    assert.equal(new Set(childrenTasksErrors.map((error) => error.executionId)).size, 100)
  }),

  engineCase('parent.later_errors', 'a settle of failed children whose reply was lost adds no error twice', async (world) => {
    const storage = createFaultyStorage(world.storage)
    const executor = world.newExecutor({ storage })
    const failing = defineFailing(executor, 'failing')
    const parent = defineParentOf(executor, 'parent', ['a', 'b'].map((input) => ({ task: failing, input })))
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
  }),
]

const retryCases: Array<EngineConformanceCase> = [
  engineCase('parent.retries', 'a child that is retried ends its parent only when it gives up, or not at all', async (world) => {
    const executor = world.newExecutor()
    const child = executor.task({
      id: 'child',
      timeoutMs: 60_000,
      retryOptions: { maxAttempts: 2, baseDelayMs: 10_000 },
      run: (ctx, failures: number) => {
        if (ctx.attempt < failures) {
          throw new Error(`attempt ${ctx.attempt}`)
        }
        return ctx.attempt
      },
    })
    const parent = executor.parentTask({
      id: 'parent',
      timeoutMs: 60_000,
      runParent: (_ctx, failures: number) => ({ output: 0, childrenTasks: [{ task: child, input: failures }] }),
    })
    await executor.start()
    const good = outputOf(await world.finish(await executor.enqueueTask(parent, 2)))
    assert.deepEqual(good.childrenTasksOutputs.map((one) => one.output), [2])
    const bad = await world.finish(await executor.enqueueTask(parent, 3))
    assert.equal(bad.status, 'children_tasks_failed')
    assert.deepEqual(bad.childrenTasksErrors.map(({ error }) => error.message), ['attempt 2'])
  }),

  engineCase('parent.retries', 'a parent that is retried has the children of the run that succeeded', async (world) => {
    const executor = world.newExecutor()
    const child = defineEcho(executor, 'child')
    const parent = executor.parentTask({
      id: 'parent',
      timeoutMs: 60_000,
      retryOptions: { maxAttempts: 3 },
      runParent: (ctx) => {
        if (ctx.attempt < 2) {
          throw new Error('not yet')
        }
        return { output: ctx.attempt, childrenTasks: [{ task: child, input: 'x' }] }
      },
    })
    await executor.start()
    const handle = await executor.enqueueTask(parent, undefined)
    assert.equal(outputOf(await world.finish(handle)).output, 2)
    assert.equal((await world.rows()).length, 2)
    assert.equal((await world.row(handle.getTaskExecutionId())).error, undefined)
  }),
]

/** The default one, except for what was written of `{ unreadable: true }`. */
function createPickySerializer(): Serializer {
  const plain = createDefaultSerializer()
  return {
    serialize: (value) => plain.serialize(value),
    deserialize: <T>(text: string): T => {
      if (text === '{"unreadable":true}') {
        throw new Error('written by a version long gone')
      }
      return plain.deserialize<T>(text)
    },
  }
}

const unreadableCases: Array<EngineConformanceCase> = [false, true].map((hasFinalize) =>
  engineCase('parent.unreadable_output', `an output of a child that cannot be read fails its parent ${hasFinalize ? 'with' : 'without'} a finalize task`, async (world) => {
    const executor = world.newExecutor({ serializer: createPickySerializer() })
    const make = executor.task({ id: 'make', timeoutMs: 60_000, run: () => ({ unreadable: true }) })
    const echo = defineEcho(executor, 'echo')
    const parent = executor.parentTask({
      id: 'parent',
      timeoutMs: 60_000,
      runParent: () => ({ output: 0, childrenTasks: [{ task: echo, input: 1 }, { task: make, input: undefined }] }),
      finalizeTask: hasFinalize ? { id: 'finalize', timeoutMs: 60_000, run: () => 'never' } : undefined,
    })
    await executor.start()
    const handle = await executor.enqueueTask(parent, undefined)
    const execution = await world.finish(handle)
    assert.equal(execution.status, 'children_tasks_failed')
    assert.deepEqual(
      execution.childrenTasksErrors.map(({ index, taskId, error }) => [index, taskId, error.message, error.isRetryable]),
      [[1, 'make', 'Error deserializing value: written by a version long gone', false]],
    )
    assert.equal((await untilAllClosed(world)).length, 3)
  }),
)

/** Children that end badly, or are refused. */
export const FAILING_CHILDREN_CASES: ReadonlyArray<EngineConformanceCase> = [
  ...refusedCases,
  ...failingCases,
  ...retryCases,
  ...unreadableCases,
]
