/** Cases: children that cannot be had, that are retried, and whose outputs cannot be read. */

import assert from 'node:assert/strict'

import { type DurableExecutionError } from '../../../base/errors.ts'
import { createDefaultSerializer, type Serializer } from '../../../base/serializer.ts'
import { type DurableTaskExecution } from '../../../client/view.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { defineEcho, defineParentOf, outputOf, untilAllClosed } from './trees.ts'

const asGiven = (value: unknown): never => value as never

/** How a failed execution failed. */
function errorOf(execution: DurableTaskExecution<unknown>): DurableExecutionError {
  assert.equal(execution.status, 'failed')
  return execution.error
}

const refusedCases: Array<EngineConformanceCase> = [
  engineCase(
    'parent.unknown_child',
    'a child whose task is not defined fails its parent for good',
    async (world) => {
      const executor = world.newExecutor()
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 60_000,
        retryOptions: { maxAttempts: 5 },
        runParent: () => ({
          output: 0,
          childrenTasks: [
            { task: defined, input: 1 },
            { task: { id: 'nowhere' }, input: 1 },
          ],
        }),
      })
      const defined = defineEcho(executor, 'defined')
      await executor.start()
      const execution = await world.finish(await executor.enqueueTask(parent, undefined))
      assert.match(errorOf(execution).message, /^Child task nowhere not found/)
      assert.equal(errorOf(execution).isRetryable, false)
      assert.equal(execution.retryAttempts, 0)
      assert.equal((await world.rows()).length, 1)
    },
  ),

  engineCase(
    'parent.child_input',
    'the input of a child is validated when the parent has run, and stored as validated',
    async (world) => {
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
        runParent: (_ctx, inputs: Array<string>) => ({
          output: 0,
          childrenTasks: inputs.map((input) => ({ task: child, input })),
        }),
      })
      await executor.start()
      const good = outputOf(await world.finish(await executor.enqueueTask(parent, ['a', 'b'])))
      assert.deepEqual(
        good.childrenTasksOutputs.map((one) => one.output),
        ['A', 'B'],
      )
      const bad = await world.finish(await executor.enqueueTask(parent, ['a', '']))
      assert.equal(errorOf(bad).message, 'Invalid input to task child: empty')
      assert.equal(errorOf(bad).isRetryable, false)
      assert.equal((await world.rows()).length, 4)
    },
  ),

  engineCase(
    'parent.child_input',
    'an input of a child that cannot be serialized fails its parent for good',
    async (world) => {
      const executor = world.newExecutor()
      const child = defineEcho(executor, 'child')
      const parent = defineParentOf(executor, 'parent', [{ task: child, input: () => 'a function' }])
      await executor.start()
      const execution = await world.finish(await executor.enqueueTask(parent, undefined))
      assert.match(errorOf(execution).message, /^Error serializing value/)
      assert.equal((await world.rows()).length, 1)
    },
  ),

  ...[
    { what: 'nothing', returned: undefined },
    { what: 'children that are no list', returned: { output: 1, childrenTasks: 'children' } },
    { what: 'a child without a task', returned: { output: 1, childrenTasks: [{ input: 1 }] } },
    { what: 'a child that is null', returned: { output: 1, childrenTasks: [null] } },
    {
      what: 'a child with wrong options',
      returned: {
        output: 1,
        childrenTasks: [{ task: { id: 'child' }, input: 1, options: { timeoutMs: 0 } }],
      },
    },
  ].map(({ what, returned }) =>
    engineCase(
      'parent.malformed_children',
      `a parent that returns ${what} fails for good, and has no children`,
      async (world) => {
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
      },
    ),
  ),
]

const retryCases: Array<EngineConformanceCase> = [
  engineCase(
    'parent.retries',
    'a child that is retried ends its parent only when it gives up, or not at all',
    async (world) => {
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
        runParent: (_ctx, failures: number) => ({
          output: 0,
          childrenTasks: [{ task: child, input: failures }],
        }),
      })
      await executor.start()
      const good = outputOf(await world.finish(await executor.enqueueTask(parent, 2)))
      assert.deepEqual(
        good.childrenTasksOutputs.map((one) => one.output),
        [2],
      )
      const bad = await world.finish(await executor.enqueueTask(parent, 3))
      assert.equal(bad.status, 'children_tasks_failed')
      assert.deepEqual(
        bad.childrenTasksErrors.map(({ error }) => error.message),
        ['attempt 2'],
      )
    },
  ),

  engineCase(
    'parent.retries',
    'a parent that is retried has the children of the run that succeeded',
    async (world) => {
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
    },
  ),
]

/** The default one, except for what was written of `{ unreadable: true }`. */
function createPickySerializer(): Serializer {
  const plain = createDefaultSerializer()
  const deserialize: Serializer['deserialize'] = (text) => {
    if (text === '{"unreadable":true}') {
      throw new Error('written by a version long gone')
    }
    return plain.deserialize(text)
  }
  return { serialize: plain.serialize, deserialize }
}

const unreadableCases: Array<EngineConformanceCase> = [false, true].map((hasFinalize) =>
  engineCase(
    'parent.unreadable_output',
    `an output of a child that cannot be read fails its parent ${hasFinalize ? 'with' : 'without'} a finalize task`,
    async (world) => {
      const executor = world.newExecutor({ serializer: createPickySerializer() })
      const make = executor.task({ id: 'make', timeoutMs: 60_000, run: () => ({ unreadable: true }) })
      const echo = defineEcho(executor, 'echo')
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 60_000,
        runParent: () => ({
          output: 0,
          childrenTasks: [
            { task: echo, input: 1 },
            { task: make, input: undefined },
          ],
        }),
        finalizeTask: hasFinalize ? { id: 'finalize', timeoutMs: 60_000, run: () => 'never' } : undefined,
      })
      await executor.start()
      const handle = await executor.enqueueTask(parent, undefined)
      const execution = await world.finish(handle)
      assert.equal(execution.status, 'children_tasks_failed')
      assert.deepEqual(
        execution.childrenTasksErrors.map(({ index, taskId, error }) => [
          index,
          taskId,
          error.message,
          error.isRetryable,
        ]),
        [[1, 'make', 'Error deserializing value: written by a version long gone', false]],
      )
      assert.equal((await untilAllClosed(world)).length, 3)
    },
  ),
)

/** Children that are refused, retried or unreadable. */
export const REFUSED_CHILDREN_CASES: ReadonlyArray<EngineConformanceCase> = [
  ...refusedCases,
  ...retryCases,
  ...unreadableCases,
]
