/** Cases: of the executions that are due, those of a higher priority begin first. */

import assert from 'node:assert/strict'

import { type DurableTaskEnqueueOptions } from '../../../task/options.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { latest, quickTask, untilTrue, waitingTask } from './lives.ts'
import { assertRefused } from './refusals.ts'

const WRONG = [Number.NaN, Infinity, 1.5, 1_000_001, -1_000_001, '1', true, {}, [], 1n]

const asOptions = (priority: unknown): DurableTaskEnqueueOptions => ({ priority }) as never

export const PRIORITY_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'priority.order',
    'of what is due the highest priority begins first, then the earliest, and none is 0',
    async (world) => {
      const executor = world.newExecutor({ maxConcurrentTaskExecutions: 1 })
      const order: Array<unknown> = []
      const { task: held, started } = waitingTask(executor, 'held')
      const quick = quickTask(executor, 'work', (_ctx, input) => order.push(input))
      const other = quickTask(executor, 'other', (_ctx, input) => order.push(input))
      await world.until(executor.start())
      await world.until(executor.enqueueTask(held, 0))
      await untilTrue(world, () => started.length === 1)
      const handles = await world.until(
        executor.enqueueTasks(quick, [
          { input: 'low', options: { priority: -1 } },
          'first without',
          { input: 'high', options: { priority: 1 } },
          { input: 'zero', options: { priority: 0 } },
          { input: 'not due', options: { priority: 9, sleepMsBeforeRun: 60_000 } },
        ]),
      )
      handles.push(await world.until(executor.enqueueTask(other, 'highest', { priority: 1_000_000 })))
      handles.push(await world.until(executor.enqueueTask(other, 'high too', { priority: 1 })))
      handles.push(await world.until(executor.enqueueTask(other, 'lowest', { priority: -1_000_000 })))
      await world.clock.advance(50)
      latest(started).gate.open(1)
      for (const handle of handles) {
        await world.finish(handle)
      }
      assert.deepEqual(order, [
        'highest',
        'high',
        'high too',
        'first without',
        'zero',
        'low',
        'lowest',
        'not due',
      ])
    },
  ),

  engineCase(
    'priority.order',
    'a higher priority that comes while a backlog is worked off is next, and stops nothing that runs',
    async (world) => {
      const executor = world.newExecutor({ maxConcurrentTaskExecutions: 1 })
      const { task, started } = waitingTask(executor, 'work')
      await world.until(executor.start())
      const inputs = ['a', 'b', 'c', 'd']
      const handles = await world.until(executor.enqueueTasks(task, inputs, { priority: -5 }))
      await untilTrue(world, () => started.length === 1)
      handles.push(await world.until(executor.enqueueTask(task, 'urgent', { priority: 5 })))
      handles.push(await world.until(executor.enqueueTask(task, 'plain')))
      await world.clock.advance(2_000)
      assert.equal(started.length, 1)
      for (let ended = 1; ended <= handles.length; ended += 1) {
        latest(started).gate.open(1)
        await untilTrue(world, () => started.length === Math.min(ended + 1, handles.length))
      }
      await world.until(Promise.all(handles.map((handle) => handle.waitAndGetTaskFinishedExecution())))
      assert.deepEqual(
        started.map(({ input }) => input),
        ['a', 'urgent', 'plain', 'b', 'c', 'd'],
      )
    },
  ),

  engineCase(
    'priority.together',
    'of what is enqueued together the highest priority begins with its insert',
    async (world) => {
      const executor = world.newExecutor({ maxConcurrentTaskExecutions: 2 })
      const { task, started } = waitingTask(executor, 'work')
      await world.until(executor.start())
      await world.clock.settle()
      await world.until(
        executor.enqueueTasks(task, [
          'plain',
          { input: 'higher', options: { priority: 1 } },
          { input: 'low', options: { priority: -1 } },
          { input: 'highest', options: { priority: 2 } },
        ]),
      )
      await untilTrue(world, () => started.length === 2)
      assert.deepEqual(
        started.map(({ input }) => input),
        ['highest', 'higher'],
      )
    },
  ),

  engineCase(
    'priority.below',
    'children and finalize tasks have the priority of their parent, unless the parent says another of a child',
    async (world) => {
      const executor = world.newExecutor()
      const leaf = quickTask(executor, 'leaf')
      const inner = executor.parentTask({
        id: 'inner',
        timeoutMs: 1_000,
        runParent: () => ({ output: 1, childrenTasks: [{ task: leaf, input: 1 }] }),
      })
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 1_000,
        runParent: () => ({
          output: 1,
          childrenTasks: [
            { task: inner, input: 0 },
            { task: leaf, input: 2, options: { priority: -3 } },
            { task: leaf, input: 3, options: { priority: 0 } },
            { task: leaf, input: 4, options: { priority: null } },
          ],
        }),
        finalizeTask: { id: 'last', timeoutMs: 1_000, run: () => 'end' },
      })
      const sequence = executor.sequentialTasks(leaf, leaf)
      await world.until(executor.start())
      await world.finish(await world.until(executor.enqueueTask(parent, undefined, { priority: 7 })))
      const prioritiesOf = async (): Promise<Array<string>> =>
        (await world.rows()).map((row) => `${row.taskId} ${row.priority ?? 'none'}`).toSorted()
      assert.deepEqual(await prioritiesOf(), [
        'inner 7',
        'last 7',
        'leaf -3',
        'leaf 7',
        'leaf 7',
        'leaf none',
        'parent 7',
      ])
      const before = new Set((await world.rows()).map((row) => row.executionId))
      await world.finish(await world.until(executor.enqueueTask(sequence, 1, { priority: -2 })))
      const added = (await world.rows()).filter((row) => !before.has(row.executionId))
      assert.deepEqual(new Set(added.map((row) => row.priority)), new Set([-2]))
    },
  ),

  engineCase('priority.shown', 'a view shows the priority, which is 0 if none was given', async (world) => {
    const executor = world.newExecutor()
    const task = quickTask(executor, 'work')
    const handles = [
      await world.until(executor.enqueueTask(task, 1, { priority: -4 })),
      await world.until(executor.enqueueTask(task, 1)),
    ]
    const shown = async (): Promise<Array<number>> =>
      (await world.until(Promise.all(handles.map((handle) => handle.getTaskExecution())))).map(
        ({ priority }) => priority,
      )
    assert.deepEqual(await shown(), [-4, 0])
    await world.until(executor.start())
    await world.until(Promise.all(handles.map((handle) => handle.waitAndGetTaskFinishedExecution())))
    assert.deepEqual(await shown(), [-4, 0])
  }),

  engineCase(
    'priority.refused',
    'a priority that is no integer, or beyond a million, is refused',
    async (world) => {
      const executor = world.newExecutor()
      const task = quickTask(executor, 'work')
      const expected = /^Invalid priority for task work: must be an integer from -1000000 to 1000000/
      for (const wrong of WRONG) {
        await assertRefused(() => executor.enqueueTask(task, 1, asOptions(wrong)), expected)
        await assertRefused(
          () => executor.enqueueTasks(task, [{ input: 1, options: asOptions(wrong) }]),
          expected,
        )
      }
      assert.deepEqual(await world.rows(), [])
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 1_000,
        retryOptions: { maxAttempts: 3 },
        runParent: () => ({ output: 1, childrenTasks: [{ task, input: 1, options: asOptions(0.5) }] }),
      })
      await world.until(executor.start())
      const end = await world.finish(await world.until(executor.enqueueTask(parent, undefined)))
      assert.equal(end.status, 'failed')
      assert.match(end.status === 'failed' ? end.error.message : '', expected)
      assert.equal(end.retryAttempts, 0)
    },
  ),
]

/** The rules of priorities. */
export const PRIORITY_RULES: Record<string, string> = {
  'priority.order':
    'Of the executions that are due, those of a higher priority begin first; of one the earliest.',
  'priority.together':
    'Of the executions that are enqueued together, those of a higher priority begin first.',
  'priority.below':
    'Without a priority it is 0, or that of the parent; a parent may say another for each of its children.',
  'priority.shown': 'A view shows the priority.',
  'priority.refused': 'A priority is an integer from -1,000,000 to 1,000,000.',
}
