/** Cases: deadlines of trees, which end from below. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableTask } from '../../../task/define.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { quickTask, untilTrue } from './lives.ts'
import { childrenOf, createGate, defineGated, defineParentOf, untilAllClosed, untilStatus } from './trees.ts'

export const TREE_DEADLINE_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'deadline.below',
    'children and the finalize execution have the deadline of their parent, or an earlier one of their own',
    async (world) => {
      const executor = world.newExecutor()
      const child = quickTask(executor, 'child')
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 1_000,
        runParent: () => ({
          output: 1,
          childrenTasks: [
            { task: child, input: 1 },
            { task: child, input: 1, options: { deadlineMs: 1_000 } },
            { task: child, input: 1, options: { deadlineMs: 3_600_000 } },
          ],
        }),
        finalizeTask: { id: 'last', timeoutMs: 1_000, run: () => 'last' },
      })
      await world.until(executor.start())
      const handle = await world.until(executor.enqueueTask(parent, undefined, { deadlineMs: 60_000 }))
      assert.equal((await world.finish(handle)).status, 'completed')
      const { deadlineAt, finalizeTask } = await world.row(handle.getTaskExecutionId())
      const [plain, own, later] = await childrenOf(world, handle.getTaskExecutionId())
      const finalize = await world.row(finalizeTask?.executionId ?? '')
      assert.ok(deadlineAt)
      for (const row of [plain, later, finalize]) {
        assert.deepEqual(row?.deadlineAt, deadlineAt)
      }
      assert.equal(own?.deadlineAt?.getTime(), (own?.createdAt.getTime() ?? 0) + 1_000)
    },
  ),

  engineCase(
    'deadline.children',
    'a tree of parents times out from below, and what has not begun is cancelled',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const held = defineGated(executor, 'held', gate)
      const later = quickTask(executor, 'later')
      const middle = defineParentOf(executor, 'middle', [{ task: held, input: 'x' }])
      const top = defineParentOf(executor, 'top', [
        { task: middle, input: undefined },
        { task: later, input: 1, options: { sleepMsBeforeRun: 3_600_000 } },
      ])
      await world.until(executor.start())
      const handle = await world.until(executor.enqueueTask(top, undefined, { deadlineMs: 5_000 }))
      await untilStatus(world, handle, 'waiting_for_children_tasks')
      await untilTrue(world, () => gate.arrivedIds.length === 1)
      const end = await world.finish(handle)
      assert.equal(end.status, 'timed_out')
      assert.ok(
        end.error.message.startsWith('Task deadline exceeded while it waited for child task with id te_'),
      )
      assert.equal(end.error.message.match(/exceeded/g)?.length, 1)
      assert.equal(end.runOutput, 'top has run')
      assert.equal(end.childrenTasks?.length, 2)
      const tookMs = end.finishedAt.getTime() - end.createdAt.getTime()
      assert.ok(tookMs >= 5_000 && tookMs <= 6_200, `${tookMs} ms`)
      assert.equal(gate.toldToStopIds.length, 1)
      const rows = await untilAllClosed(world)
      const statuses = new Map(rows.map((row) => [row.taskId, row.status]))
      assert.equal(statuses.get('middle'), 'timed_out')
      assert.equal(statuses.get('held'), 'timed_out')
      // At its deadline it was due too: either it was ended then, or by its parent.
      assert.ok(['timed_out', 'cancelled'].includes(statuses.get('later') ?? ''))
    },
  ),

  engineCase(
    'deadline.children',
    'a child that has not ended, as its process died, is cancelled with the others, and told why',
    async (world) => {
      const [first, second] = [1, 1].map((maxConcurrentTaskExecutions) =>
        world.newExecutor({ maxConcurrentTaskExecutions }),
      ) as [DurableExecutor, DurableExecutor]
      const gate = createGate()
      const [parent] = [first, second].map((executor) => {
        const held = defineGated(executor, 'held', gate)
        return defineParentOf(executor, 'parent', [
          { task: held, input: '1' },
          { task: held, input: '2' },
        ])
      }) as [DurableTask<unknown, unknown>, unknown]
      await world.until(first.start())
      const handle = await world.until(first.enqueueTask(parent, undefined, { deadlineMs: 10_000 }))
      await untilTrue(world, () => gate.arrivedIds.length === 1)
      await world.until(second.start())
      await untilTrue(world, () => gate.arrivedIds.length === 2)
      world.kill(second)
      const end = await world.finish(handle)
      assert.equal(end.status, 'timed_out')
      const rows = await untilAllClosed(world)
      const [timedOut, cancelled] = gate.arrivedIds.map((id) => rows.find((row) => row.executionId === id))
      assert.equal(timedOut?.status, 'timed_out')
      assert.equal(cancelled?.status, 'cancelled')
      const prefix = `Parent task parent with execution id ${handle.getTaskExecutionId()} failed: `
      assert.ok(cancelled?.error?.message.startsWith(`${prefix}Task deadline exceeded`))
    },
  ),

  engineCase('deadline.finalize', 'a parent times out with its finalize task', async (world) => {
    const executor = world.newExecutor()
    const gate = createGate()
    const child = quickTask(executor, 'child')
    const parent = executor.parentTask({
      id: 'parent',
      timeoutMs: 1_000,
      runParent: () => ({ output: 1, childrenTasks: [{ task: child, input: 1 }] }),
      finalizeTask: { id: 'last', timeoutMs: 3_600_000, run: async (ctx) => await gate.pass(ctx) },
    })
    await world.until(executor.start())
    const handle = await world.until(executor.enqueueTask(parent, undefined, { deadlineMs: 5_000 }))
    await untilStatus(world, handle, 'waiting_for_finalize_task')
    const end = await world.finish(handle)
    assert.equal(end.status, 'timed_out')
    assert.equal(
      end.error.message,
      `Task deadline exceeded while it waited for finalize task with id ${end.finalizeTask?.executionId}`,
    )
    await untilAllClosed(world)
  }),
]
