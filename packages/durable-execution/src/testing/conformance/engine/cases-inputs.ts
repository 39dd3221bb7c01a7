/** Cases: inputs as they are checked, kept and given to the run; ids of executions; tasks that nobody here knows. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { assertRefused } from './refusals.ts'

type Issues = { issues: Array<{ message: string; path?: Array<PropertyKey | { key: PropertyKey }> }> }

/** A schema as any library that follows Standard Schema makes them. */
type Schema<TInput, TOutput> = {
  '~standard': {
    version: 1
    vendor: string
    validate: (value: unknown) => { value: TOutput } | Issues
    types?: { input: TInput; output: TOutput }
  }
}

function schemaOf<TOutput>(
  validate: (value: unknown) => { value: TOutput } | Issues,
): Schema<string, TOutput> {
  return { '~standard': { version: 1, vendor: 'conformance', validate } }
}

const numberSchema = schemaOf<number>((value) => {
  const number = Number(value)
  return Number.isNaN(number) ? { issues: [{ message: 'Not a number' }] } : { value: number }
})

export const INPUT_CASES: Array<EngineConformanceCase> = [
  engineCase('input.validated_by_function', 'what the function returns is stored and run', async (world) => {
    const executor = world.newExecutor()
    const task = executor
      .validateInput(async (text: string) => await Promise.resolve(Number(text)))
      .task({ id: 'double', timeoutMs: 1_000, run: (_ctx, number) => number * 2 })
    await executor.start()
    const finished = await world.finish(await executor.enqueueTask(task, '21'))
    assert.equal(finished.status === 'completed' && finished.output, 42)
    assert.equal(finished.runInput, 21)
  }),

  engineCase('input.validated_by_schema', 'what the schema gives is stored and run', async (world) => {
    const executor = world.newExecutor()
    const task = executor
      .inputSchema(numberSchema)
      .parentTask({ id: 'parent', timeoutMs: 1_000, runParent: (_ctx, number) => ({ output: number + 1 }) })
    await executor.start()
    const finished = await world.finish(await executor.enqueueTask(task, '1'))
    assert.deepEqual(finished.status === 'completed' && finished.output, {
      output: 2,
      childrenTasksOutputs: [],
    })
  }),

  engineCase(
    'input.refused',
    'an input that the function throws at is refused, and no row is made',
    async (world) => {
      const executor = world.newExecutor()
      const refuse = (thrown: unknown): ((input: string) => string) => {
        return () => {
          throw thrown
        }
      }
      const options = { timeoutMs: 1_000, run: () => 'never' }
      const first = executor.validateInput(refuse(new Error('too short'))).task({ ...options, id: 'first' })
      const second = executor.validateInput(refuse('too long')).task({ ...options, id: 'second' })
      await assertRefused(() => executor.enqueueTask(first, ''), 'Invalid input to task first: too short')
      await assertRefused(() => executor.enqueueTask(second, ''), 'Invalid input to task second: too long')
      assert.deepEqual(await world.rows(), [])
    },
  ),

  engineCase(
    'input.schema_issues',
    'each issue of a schema is a line, and its path the line below',
    async (world) => {
      const executor = world.newExecutor()
      const schema = schemaOf<object>(() => ({
        issues: [
          { message: 'Required' },
          { message: 'Not a number', path: ['order', { key: 'lines' }, 0, 'price'] },
        ],
      }))
      const task = executor.inputSchema(schema).task({ id: 'order', timeoutMs: 1_000, run: () => 'never' })
      await assertRefused(
        () => executor.enqueueTask(task, 'nothing'),
        'Invalid input to task order: × Required\n× Not a number\n  → at order.lines.0.price',
      )
    },
  ),

  engineCase(
    'input.schema_refused',
    'what is no Standard Schema is refused when the task is defined',
    async (world) => {
      const executor = world.newExecutor()
      for (const schema of [null, {}, { parse: () => 1 }]) {
        await assertRefused(() => executor.inputSchema(schema as never), /^Invalid input schema: ./)
      }
    },
  ),

  engineCase(
    'input.children_validated',
    'inputs of children are validated when the run has returned them',
    async (world) => {
      const executor = world.newExecutor()
      const child = executor
        .validateInput((input: number) => input * 10)
        .task({ id: 'child', timeoutMs: 1_000, run: (_ctx, input) => input + 1 })
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 1_000,
        runParent: () => ({ output: null, childrenTasks: [{ task: child, input: 4 }] }),
      })
      await executor.start()
      const finished = await world.finish(await executor.enqueueTask(parent, undefined))
      assert.equal(finished.status === 'completed' && finished.output.childrenTasksOutputs[0]?.output, 41)
    },
  ),

  engineCase(
    'input.bad_child_fails_parent',
    'a child with a bad input fails its parent, and no child is made',
    async (world) => {
      const executor = world.newExecutor()
      const child = executor
        .validateInput((input: number) => {
          if (input === 2) {
            throw new Error('not two')
          }
          return input
        })
        .task({ id: 'child', timeoutMs: 1_000, run: () => 'done' })
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 1_000,
        retryOptions: { maxAttempts: 5 },
        runParent: () => ({
          output: null,
          childrenTasks: [1, 2, 3].map((input) => ({ task: child, input })),
        }),
      })
      await executor.start()
      const finished = await world.finish(await executor.enqueueTask(parent, undefined))
      assert.equal(finished.status, 'failed')
      assert.equal(finished.error.message, 'Invalid input to task child: not two')
      assert.equal(finished.error.isRetryable, false)
      assert.equal((await world.rows()).length, 1)
    },
  ),

  engineCase(
    'input.finalize_not_validated',
    'the check of a parent’s input is not asked about the finalize task’s',
    async (world) => {
      const executor = world.newExecutor()
      const asked: Array<unknown> = []
      const parent = executor
        .validateInput((input: string) => {
          asked.push(input)
          return input
        })
        .parentTask({
          id: 'parent',
          timeoutMs: 1_000,
          runParent: (_ctx, input) => ({ output: input }),
          finalizeTask: {
            id: 'finish',
            timeoutMs: 1_000,
            run: (_ctx, { input, output }) => `${input}${output}`,
          },
        })
      await executor.start()
      const finished = await world.finish(await executor.enqueueTask(parent, 'a'))
      assert.equal(finished.status === 'completed' && finished.output, 'aa')
      assert.deepEqual(asked, ['a'])
    },
  ),

  engineCase(
    'execution_id.form',
    'ids of executions start with te_, differ, and sort by creation',
    async (world) => {
      const executor = world.newExecutor()
      const task = executor.task({ id: 'task', timeoutMs: 1_000, run: () => 'done' })
      const ids: Array<string> = []
      for (let index = 0; index < 50; index += 1) {
        ids.push((await executor.enqueueTask(task, index)).getTaskExecutionId())
      }
      assert.ok(ids.every((id) => /^te_[0-9a-f]{32}$/.test(id)))
      assert.equal(new Set(ids).size, ids.length)
      assert.deepEqual(ids.toSorted(), ids)
    },
  ),

  engineCase('execution_id.unguessable', 'one id does not tell the next', async (world) => {
    const executor = world.newExecutor()
    const task = executor.task({ id: 'task', timeoutMs: 1_000, run: () => 'done' })
    const first = (await executor.enqueueTask(task, 1)).getTaskExecutionId()
    const second = (await executor.enqueueTask(task, 2)).getTaskExecutionId()
    // The last 15 digits are drawn anew each time: they agree once in 2^60.
    assert.notEqual(first.slice(-15), second.slice(-15))
  }),

  engineCase(
    'unknown.left_alone',
    'an executor leaves executions of tasks it does not know to others',
    async (world) => {
      const knowing = world.newExecutor()
      const stranger = world.newExecutor()
      const task = knowing.task({ id: 'known_there', timeoutMs: 1_000, run: () => 'done' })
      const own = stranger.task({ id: 'known_here', timeoutMs: 1_000, run: () => 'own' })
      const handle = await knowing.enqueueTask(task, undefined)
      await stranger.start()
      assert.equal((await world.finish(await stranger.enqueueTask(own, undefined))).status, 'completed')
      await world.clock.advance('2m')
      assert.equal((await handle.getTaskExecution()).status, 'ready')
      await knowing.start()
      assert.equal((await world.finish(handle)).status, 'completed')
    },
  ),

  engineCase(
    'unknown.hide_nothing',
    'however many unknown executions are due, known ones are run at once',
    async (world) => {
      const other = world.newExecutor()
      const strange = other.task({ id: 'strange', timeoutMs: 1_000, run: () => 'done' })
      for (let index = 0; index < 60; index += 1) {
        await other.enqueueTask(strange, index)
      }
      const executor = world.newExecutor({ maxConcurrentTaskExecutions: 2 })
      const task = executor.task({ id: 'known', timeoutMs: 1_000, run: () => 'done' })
      await executor.start()
      const handle = await executor.enqueueTask(task, undefined)
      assert.equal((await world.finish(handle, 200)).status, 'completed')
    },
  ),

  engineCase(
    'unknown.never_failed',
    'an executor that does not know a task takes its lost execution back, and does not give it up',
    async (world) => {
      const dying = world.newExecutor({ expireMs: 2_000, maxLosses: 1 })
      const stuck = dying.task({ id: 'strange', timeoutMs: 60_000, run: () => new Promise<string>(() => {}) })
      const handle = await dying.enqueueTask(stuck, undefined)
      await dying.start()
      await world.clock.advance(100)
      world.kill(dying)
      const stranger = world.newExecutor({ expireMs: 2_000, maxLosses: 1 })
      await stranger.start()
      await world.clock.advance(4_000)
      assert.equal((await world.row(handle.getTaskExecutionId())).status, 'ready')
    },
  ),

  engineCase(
    'unknown.refused',
    'a task that is not defined here cannot be enqueued or asked for here',
    async (world) => {
      const executor = world.newExecutor()
      await assertRefused(() => executor.enqueueTask({ id: 'nobody' }, undefined), /^Task nobody not found/)
      await assertRefused(() => executor.getTaskHandle({ id: 'nobody' }, 'te_1'), /^Task nobody not found/)
      assert.deepEqual(await world.rows(), [])
    },
  ),
]
