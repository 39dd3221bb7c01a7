/** Cases: how large things may be, and what the serializer does to values on their way. */

import assert from 'node:assert/strict'

import { LIMITS } from '../../../base/limits.ts'
import { createDefaultSerializer, type Serializer } from '../../../base/serializer.ts'
import { createDurableTaskExecutionStorageObject } from '../../../machine/execution.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { assertRefused, assertText } from './refusals.ts'

const serializer = createDefaultSerializer()

/** A text whose serialized form has so many bytes. */
const textOf = (bytes: number): string => 'x'.repeat(bytes - serializer.serialize('').length)

const limitCases: Array<EngineConformanceCase> = [
  engineCase(
    'limit.input_payload',
    'an input of just the allowed bytes is taken, one more is refused with limit and size',
    async (world) => {
      const executor = world.newExecutor({ maxPayloadBytes: 100 })
      const task = executor.task({ id: 'task', timeoutMs: 1_000, run: () => 'done' })
      await executor.enqueueTask(task, textOf(100))
      await assertRefused(() => executor.enqueueTask(task, textOf(101)), /101 bytes.*100.*maxPayloadBytes/)
      assert.equal((await world.rows()).length, 1)
    },
  ),

  engineCase('limit.payload_in_bytes', 'bytes are counted, not characters', async (world) => {
    const executor = world.newExecutor({ maxPayloadBytes: 100 })
    const task = executor.task({ id: 'task', timeoutMs: 1_000, run: () => 'done' })
    await assertRefused(() => executor.enqueueTask(task, '€'.repeat(33)), /101 bytes.*maxPayloadBytes/)
    await executor.enqueueTask(task, '€'.repeat(32))
  }),

  engineCase('limit.payload_default', 'without the option 10 MiB are allowed', async (world) => {
    const executor = world.newExecutor()
    const task = executor.task({ id: 'task', timeoutMs: 1_000, run: () => 'done' })
    const mostBytes = 10 * 1_024 * 1_024
    await assertRefused(
      () => executor.enqueueTask(task, textOf(mostBytes + 1)),
      /10485761 bytes.*10485760.*maxPayloadBytes/,
    )
  }),

  engineCase(
    'limit.output_payload',
    'an output that is too large ends the attempt failed, and is not retried',
    async (world) => {
      const executor = world.newExecutor({ maxPayloadBytes: 100 })
      const task = executor.task({
        id: 'task',
        timeoutMs: 1_000,
        retryOptions: { maxAttempts: 3 },
        run: (_ctx, bytes: number) => textOf(bytes),
      })
      await executor.start()
      assert.equal((await world.finish(await executor.enqueueTask(task, 100))).status, 'completed')
      const finished = await world.finish(await executor.enqueueTask(task, 101))
      assert.equal(finished.status, 'failed')
      assert.match(finished.error.message, /101 bytes.*100.*maxPayloadBytes/)
      assert.equal(finished.retryAttempts, 0)
    },
  ),

  engineCase(
    'limit.child_payload',
    'an input of a child that is too large fails the parent',
    async (world) => {
      const executor = world.newExecutor({ maxPayloadBytes: 100 })
      const child = executor.task({ id: 'child', timeoutMs: 1_000, run: (_ctx, text: string) => text.length })
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 1_000,
        runParent: () => ({ output: 1, childrenTasks: [{ task: child, input: textOf(101) }] }),
      })
      await executor.start()
      const finished = await world.finish(await executor.enqueueTask(parent, undefined))
      assert.equal(finished.status, 'failed')
      assert.match(finished.error.message, /input of task child.*101 bytes.*maxPayloadBytes/)
      assert.equal((await world.rows()).length, 1)
    },
  ),

  engineCase(
    'limit.composed_is_free',
    'what the engine puts together from children may be larger',
    async (world) => {
      const executor = world.newExecutor({ maxPayloadBytes: 100 })
      const child = executor.task({ id: 'child', timeoutMs: 1_000, run: () => textOf(90) })
      const childrenTasks = [1, 2, 3].map((input) => ({ task: child, input }))
      const composed = executor.parentTask({
        id: 'composed',
        timeoutMs: 1_000,
        runParent: () => ({ output: null, childrenTasks }),
      })
      const finalized = executor.parentTask({
        id: 'finalized',
        timeoutMs: 1_000,
        runParent: () => ({ output: null, childrenTasks }),
        finalizeTask: {
          id: 'finish',
          timeoutMs: 1_000,
          run: (_ctx, { childrenTasksOutputs }) => childrenTasksOutputs.length,
        },
      })
      await executor.start()
      const first = await world.finish(await executor.enqueueTask(composed, undefined))
      assert.equal(first.status === 'completed' && first.output.childrenTasksOutputs.length, 3)
      const second = await world.finish(await executor.enqueueTask(finalized, undefined))
      assert.equal(second.status === 'completed' && second.output, 3)
    },
  ),

  engineCase(
    'limit.children',
    'more than 100,000 children fail their parent, with limit and number',
    async (world) => {
      const executor = world.newExecutor()
      const child = executor.task({ id: 'child', timeoutMs: 1_000, run: () => 'done' })
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 1_000,
        retryOptions: { maxAttempts: 3 },
        runParent: () => ({
          output: null,
          childrenTasks: Array.from({ length: LIMITS.childrenPerParent + 1 }, () => ({
            task: child,
            input: 1,
          })),
        }),
      })
      await executor.start()
      const finished = await world.finish(await executor.enqueueTask(parent, undefined))
      assert.equal(finished.status, 'failed')
      assert.match(finished.error.message, /100001 children.*100000.*childrenPerParent/)
      assert.equal(finished.retryAttempts, 0)
      assert.equal((await world.rows()).length, 1)
    },
  ),

  engineCase(
    'limit.depth',
    'children below the thousandth level fail their parent, with limit and depth, and it is not retried',
    async (world) => {
      const executor = world.newExecutor()
      const child = executor.task({ id: 'child', timeoutMs: 1_000, run: () => 'done' })
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 1_000,
        runParent: () => ({ output: null, childrenTasks: [{ task: child, input: 1 }] }),
      })
      const deepest = createDurableTaskExecutionStorageObject({
        now: new Date(world.clock.now()),
        taskId: 'parent',
        executionId: 'te_deepest',
        retryOptions: { maxAttempts: 3 },
        sleepMsBeforeRun: 0,
        timeoutMs: 1_000,
        runInput: serializer.serialize(1),
      })
      await world.storage.withTransaction(
        async (tx) => await tx.insertTaskExecutions([{ ...deepest, depth: LIMITS.depth }]),
      )
      await executor.start()
      const finished = await world.finish(await executor.getTaskHandle(parent, 'te_deepest'))
      assert.equal(finished.status, 'failed')
      assert.match(finished.error.message, /1000 deep.*limit: depth.*1001/)
      assert.equal(finished.retryAttempts, 0)
      assert.equal((await world.rows()).length, 1)
    },
  ),

  engineCase(
    'limit.sequence',
    'a sequence of 999 members is taken, one more is refused with limit and number',
    async (world) => {
      const executor = world.newExecutor()
      const task = executor.task({ id: 'task', timeoutMs: 1_000, run: (_ctx, input: number) => input })
      const sequenceOf = (members: number): { id: string } =>
        executor.sequentialTasks(...(Array(members).fill(task) as [typeof task, typeof task]))
      assert.match(sequenceOf(999).id, /^st_/)
      await assertRefused(
        () => sequenceOf(1_000),
        'A sequence may have at most 999 tasks (limit: depth), got 1000',
      )
    },
  ),
]

/** A serializer that writes its mark before the JSON and reads only what has it. */
const marking: Serializer = {
  serialize: (value) => `mark ${JSON.stringify(value)}`,
  deserialize: (text) => {
    if (!text.startsWith('mark ')) {
      throw new Error('no mark')
    }
    return JSON.parse(text.slice(5)) as never
  },
}

const serializerCases: Array<EngineConformanceCase> = [
  engineCase('serializer.own', 'the given serializer writes and reads every value', async (world) => {
    const executor = world.newExecutor({ serializer: marking })
    const task = executor.task({
      id: 'task',
      timeoutMs: 1_000,
      run: (_ctx, input: { a: number }) => [input.a],
    })
    await executor.start()
    const finished = await world.finish(await executor.enqueueTask(task, { a: 1 }))
    assert.deepEqual(finished.status === 'completed' && finished.output, [1])
    const row = await world.row(finished.executionId)
    assert.deepEqual([row.runInput, row.output], ['mark {"a":1}', 'mark [1]'])
  }),

  engineCase('serializer.empty_text', 'a text of nothing is a value like any other', async (world) => {
    const empty: Serializer = { serialize: () => '', deserialize: () => 'from nothing' as never }
    const executor = world.newExecutor({ serializer: empty })
    const task = executor.task({ id: 'task', timeoutMs: 1_000, run: (_ctx, input: string) => input })
    const parent = executor.parentTask({
      id: 'parent',
      timeoutMs: 1_000,
      runParent: () => ({ output: 1, childrenTasks: [{ task, input: 1 }] }),
    })
    await executor.start()
    const finished = await world.finish(await executor.enqueueTask(parent, 'x'))
    assert.equal(finished.status === 'completed' && finished.output, 'from nothing')
    assert.ok((await world.rows()).every((row) => row.status === 'completed' && row.isClosed))
  }),

  engineCase(
    'serializer.default',
    'the default serializer keeps values that JSON would not',
    async (world) => {
      const executor = world.newExecutor()
      const task = executor.task({ id: 'task', timeoutMs: 1_000, run: (_ctx, input: unknown) => input })
      await executor.start()
      const value = { at: new Date(0), set: new Set([1n]), missing: undefined, nan: Number.NaN }
      for (const input of [value, undefined, null]) {
        const finished = await world.finish(await executor.enqueueTask(task, input))
        assert.equal(finished.status, 'completed')
        assert.deepEqual(finished.output, input)
      }
    },
  ),

  engineCase('serializer.refused_input', 'an input that cannot be serialized is refused', async (world) => {
    const executor = world.newExecutor()
    const task = executor.task({ id: 'task', timeoutMs: 1_000, run: () => 'done' })
    await assertRefused(() => executor.enqueueTask(task, { fn: () => 1 }), /^Error serializing value: ./)
    assert.deepEqual(await world.rows(), [])
  }),

  engineCase(
    'run.unreadable_input',
    'an input that cannot be read ends the attempt failed, and is not retried',
    async (world) => {
      const writer = world.newExecutor()
      const reader = world.newExecutor({ serializer: marking })
      const options = {
        id: 'task',
        timeoutMs: 1_000,
        retryOptions: { maxAttempts: 3 },
        run: () => 'never called',
      }
      reader.task(options)
      const handle = await writer.enqueueTask(writer.task(options), 'no mark')
      await reader.start()
      const finished = await world.finish(handle)
      assert.equal(finished.status, 'failed')
      assertText(finished.error.message, 'Error deserializing value: no mark')
      assert.equal(finished.error.isRetryable, false)
      assert.equal(finished.retryAttempts, 0)
    },
  ),

  engineCase(
    'run.unserializable_output',
    'an output that cannot be serialized ends the attempt failed, and is not retried',
    async (world) => {
      const executor = world.newExecutor()
      const task = executor.task({
        id: 'task',
        timeoutMs: 1_000,
        retryOptions: { maxAttempts: 3 },
        run: () => ({ fn: () => 1 }),
      })
      await executor.start()
      const finished = await world.finish(await executor.enqueueTask(task, undefined))
      assert.equal(finished.status, 'failed')
      assert.match(finished.error.message, /^Error serializing value: ./)
      assert.equal(finished.error.isRetryable, false)
      assert.equal(finished.retryAttempts, 0)
    },
  ),
]

export const LIMIT_CASES: Array<EngineConformanceCase> = [...limitCases, ...serializerCases]
