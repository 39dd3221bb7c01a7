/** Cases: sequences, their ids, what they cost and how they fail. */

import assert from 'node:assert/strict'

import { type Serializer } from '../../../base/serializer.ts'
import { type DurableExecutor } from '../../../executor/executor.ts'
import { type ExecutionRow } from '../../../machine/execution.ts'
import { type DurableTask } from '../../../task/define.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { assertRefused } from './refusals.ts'
import { type EngineWorld } from './world.ts'

type NumberTask = DurableTask<number, number>

/** Tasks that each add one; the one at `failAt` fails instead. */
function addingTasks(executor: DurableExecutor, count: number, failAt?: number): Array<NumberTask> {
  return Array.from({ length: count }, (_, index) =>
    executor.task({
      id: `add_${index}`,
      timeoutMs: 1_000,
      run: (_ctx, input: number) => {
        if (index === failAt) {
          throw new Error('the member broke')
        }
        return input + 1
      },
    }),
  )
}

/** A sequence of a list whose length is not known to the compiler. */
function sequenceOf(executor: DurableExecutor, tasks: Array<NumberTask>): NumberTask {
  return executor.sequentialTasks(...(tasks as [NumberTask, NumberTask]))
}

/** What a sequence of so many members leaves in the storage. */
async function costOf(
  world: EngineWorld,
  count: number,
  failAt?: number,
): Promise<{ rows: number; bytes: number; rowsRead: Array<ExecutionRow> }> {
  const before = new Set((await world.rows()).map((row) => row.executionId))
  const executor = world.newExecutor()
  const sequence = sequenceOf(executor, addingTasks(executor, count, failAt))
  await executor.start()
  const finished = await world.finish(await executor.enqueueTask(sequence, 0))
  assert.equal(finished.status === 'completed', failAt === undefined)
  await world.until(executor.shutdown())
  const rowsRead = (await world.rows()).filter((row) => !before.has(row.executionId))
  return { rows: rowsRead.length, bytes: JSON.stringify(rowsRead).length, rowsRead }
}

export const SEQUENCE_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'sequence.order',
    'members run one after another, each with the output of the one before',
    async (world) => {
      const executor = world.newExecutor()
      const order: Array<string> = []
      const note = (id: string) => (_ctx: unknown, input: string) => {
        order.push(id)
        return `${input}${id}`
      }
      const tasks = ['a', 'b', 'c'].map((id) => executor.task({ id, timeoutMs: 1_000, run: note(id) }))
      const sequence = executor.sequentialTasks(...(tasks as [(typeof tasks)[0], (typeof tasks)[0]]))
      await executor.start()
      const finished = await world.finish(await executor.enqueueTask(sequence, '>'))
      assert.equal(finished.status === 'completed' && finished.output, '>abc')
      assert.deepEqual(order, ['a', 'b', 'c'])
    },
  ),

  engineCase(
    'sequence.id',
    'the id of a sequence is st_ and a hash that its members’ ids and their order make',
    async (world) => {
      const executor = world.newExecutor()
      const [first, second] = addingTasks(executor, 2) as [NumberTask, NumberTask]
      const { id } = executor.sequentialTasks(first, second)
      assert.match(id, /^st_[0-9a-f]+$/)
      assert.notEqual(executor.sequentialTasks(second, first).id, id)
      const other = world.newExecutor()
      const [otherFirst, otherSecond] = addingTasks(other, 2) as [NumberTask, NumberTask]
      assert.equal(other.sequentialTasks(otherFirst, otherSecond).id, id)
    },
  ),

  engineCase('sequence.same_task', 'the same sequence defined twice is the same task', async (world) => {
    const executor = world.newExecutor()
    const [first, second] = addingTasks(executor, 2) as [NumberTask, NumberTask]
    const once = executor.sequentialTasks(first, second)
    const twice = executor.sequentialTasks(first, second)
    assert.equal(twice.id, once.id)
    await executor.start()
    assert.equal((await world.finish(await executor.enqueueTask(twice, 1))).status, 'completed')
  }),

  engineCase('sequence.of_one', 'a sequence of one task is that task', async (world) => {
    const executor = world.newExecutor()
    const task = executor.task({ id: 'only', timeoutMs: 1_000, run: (_ctx, input: number) => input })
    assert.equal(executor.sequentialTasks(task).id, 'only')
  }),

  engineCase('sequence.of_none', 'a sequence of no tasks is refused', async (world) => {
    const executor = world.newExecutor()
    await assertRefused(() => executor.sequentialTasks(), 'No tasks provided')
  }),

  engineCase('sequence.repeated_member', 'a task may be a member more than once', async (world) => {
    const executor = world.newExecutor()
    const [task] = addingTasks(executor, 1) as [NumberTask]
    await executor.start()
    const handle = await executor.enqueueTask(executor.sequentialTasks(task, task, task), 0)
    const finished = await world.finish(handle)
    assert.equal(finished.status === 'completed' && finished.output, 3)
  }),

  engineCase('sequence.nested', 'a sequence may be a member, and its members parents', async (world) => {
    const executor = world.newExecutor()
    const [first, second] = addingTasks(executor, 2) as [NumberTask, NumberTask]
    const parent = executor.parentTask({
      id: 'parent',
      timeoutMs: 1_000,
      runParent: (_ctx, input: number) => ({ output: input, childrenTasks: [{ task: first, input }] }),
      finalizeTask: { id: 'finish', timeoutMs: 1_000, run: (_ctx, { output }) => output * 10 },
    })
    const sequence = executor.sequentialTasks(executor.sequentialTasks(first, second), parent, first)
    await executor.start()
    const finished = await world.finish(await executor.enqueueTask(sequence, 0))
    assert.equal(finished.status === 'completed' && finished.output, 21)
  }),

  engineCase(
    'sequence.any_executor',
    'an executor that defines the same sequence runs what another enqueued',
    async (world) => {
      const client = world.newExecutor()
      const worker = world.newExecutor()
      sequenceOf(worker, addingTasks(worker, 3))
      const handle = await client.enqueueTask(sequenceOf(client, addingTasks(client, 3)), 0)
      await worker.start()
      const finished = await world.finish(handle)
      assert.equal(finished.status === 'completed' && finished.output, 3)
    },
  ),

  engineCase('sequence.linear_rows', 'twice the members are twice the rows', async (world) => {
    const small = await costOf(world, 5)
    const large = await costOf(world, 10)
    assert.equal(large.rows, 2 * small.rows)
  }),

  engineCase('sequence.linear_bytes', 'twice the members are no more than twice the bytes', async (world) => {
    const small = await costOf(world, 10)
    const large = await costOf(world, 20)
    assert.ok(large.bytes <= 2.1 * small.bytes, `${small.bytes} and ${large.bytes} bytes`)
  }),

  engineCase(
    'sequence.linear_bytes',
    'twice the members are no more than twice the bytes when the last one fails',
    async (world) => {
      const small = await costOf(world, 10, 9)
      const large = await costOf(world, 20, 19)
      assert.ok(large.bytes <= 2.1 * small.bytes, `${small.bytes} and ${large.bytes} bytes`)
    },
  ),

  engineCase('sequence.long', 'a sequence of a hundred members runs to its end', async (world) => {
    const { rows, rowsRead } = await costOf(world, 100)
    assert.equal(rows, 200)
    assert.ok(rowsRead.every((row) => row.status === 'completed' && row.isClosed))
  }),

  engineCase(
    'sequence.linear_bytes',
    'twice the members are no more than twice the bytes when it is cancelled',
    async (world) => {
      const costs: Array<number> = []
      for (const count of [10, 20]) {
        const executor = world.newExecutor()
        const tasks = addingTasks(executor, count - 1)
        const last = executor.task({
          id: 'last',
          timeoutMs: 60_000,
          run: (_ctx, _input: number) => new Promise<number>(() => {}),
        })
        await executor.start()
        const handle = await executor.enqueueTask(sequenceOf(executor, [...tasks, last]), 0)
        await world.clock.advance(500)
        assert.equal(executor.getRunningTaskExecutionIds().size, 1)
        await world.until(handle.cancel())
        await world.until(executor.shutdown({ graceMs: 0 }))
        const rows = await world.rows()
        assert.ok(rows.every((row) => row.isClosed))
        costs.push(JSON.stringify(rows).length - (costs[0] ?? 0))
      }
      const [small = 0, large = 0] = costs
      assert.ok(large <= 2.1 * small, `${small} and ${large} bytes`)
    },
  ),

  engineCase(
    'sequence.plain_serializer',
    'a sequence runs with a serializer that knows JSON alone',
    async (world) => {
      const serializer: Serializer = {
        serialize: (value) => JSON.stringify(value),
        deserialize: (text) => JSON.parse(text) as never,
      }
      const executor = world.newExecutor({ serializer })
      await executor.start()
      const finished = await world.finish(
        await executor.enqueueTask(sequenceOf(executor, addingTasks(executor, 3)), 0),
      )
      assert.equal(finished.status === 'completed' && finished.output, 3)
    },
  ),

  engineCase(
    'sequence.composed_is_free',
    'what a member composed of its children may be large for the next',
    async (world) => {
      const executor = world.newExecutor({ maxPayloadBytes: 100 })
      const child = executor.task({ id: 'child', timeoutMs: 1_000, run: () => 'x'.repeat(90) })
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 1_000,
        runParent: () => ({ output: 1, childrenTasks: [1, 2].map((input) => ({ task: child, input })) }),
      })
      const count = executor.task({
        id: 'count',
        timeoutMs: 1_000,
        run: (_ctx, input: { childrenTasksOutputs: Array<unknown> }) => input.childrenTasksOutputs.length,
      })
      await executor.start()
      const finished = await world.finish(
        await executor.enqueueTask(executor.sequentialTasks(parent, count), undefined),
      )
      assert.equal(finished.status === 'completed' && finished.output, 2)
    },
  ),

  engineCase(
    'sequence.fails',
    'a sequence fails with its member, whose error is in the message',
    async (world) => {
      for (const failAt of [0, 1, 4]) {
        const { rowsRead } = await costOf(world, 5, failAt)
        const [root] = rowsRead.filter((row) => row.parentTask === undefined)
        assert.ok(root?.status === 'children_tasks_failed' || root?.status === 'finalize_task_failed')
        const error = root.finalizeTaskError ?? root.childrenTasksErrors?.[0]?.error
        assert.match(error?.message ?? '', /the member broke/)
        assert.ok(rowsRead.every((row) => row.isClosed))
        const begun = rowsRead.filter((row) => row.taskId.startsWith('add_')).map((row) => row.taskId)
        assert.equal(begun.length, failAt + 1, 'no member after the broken one is begun')
      }
    },
  ),
]
