/** Cases: what handles are asked for, and what they see. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { assertRefused } from './refusals.ts'
import { createGate, defineEcho, defineFailing, defineGated, defineParentOf, untilStatus } from './trees.ts'

/** What handles answer. */
export const HANDLE_CASES: ReadonlyArray<EngineConformanceCase> = [
  engineCase('handle.not_found', 'a handle of an execution that does not exist is refused', async (world) => {
    const executor = world.newExecutor()
    const task = defineEcho(executor, 'task')
    await assertRefused(
      () => world.until(executor.getTaskHandle(task, 'te_nowhere')),
      'Execution te_nowhere not found',
    )
  }),

  engineCase(
    'handle.unknown_task',
    'a handle or an enqueue of a task that is not defined here is refused',
    async (world) => {
      const executor = world.newExecutor()
      await assertRefused(() => executor.getTaskHandle({ id: 'nowhere' }, 'te_x'), /^Task nowhere not found/)
      await assertRefused(() => executor.enqueueTask({ id: 'nowhere' }, 1), /^Task nowhere not found/)
    },
  ),

  engineCase(
    'handle.wrong_task',
    'a handle asked for another task than the execution’s is refused',
    async (world) => {
      const executor = world.newExecutor()
      const task = defineEcho(executor, 'task')
      const other = defineEcho(executor, 'other')
      const id = (await executor.enqueueTask(task, 1)).getTaskExecutionId()
      await assertRefused(
        () => world.until(executor.getTaskHandle(other, id)),
        `Execution ${id} is of task task, not other`,
      )
    },
  ),

  engineCase(
    'handle.names',
    'a handle names its task and its execution, here and elsewhere',
    async (world) => {
      const executor = world.newExecutor()
      const task = defineEcho(executor, 'task')
      const client = world.newExecutor()
      defineEcho(client, 'task')
      const handle = await executor.enqueueTask(task, 1)
      const other = await world.until(client.getTaskHandle(task, handle.getTaskExecutionId()))
      assert.equal(handle.getTaskId(), 'task')
      assert.equal(other.getTaskId(), 'task')
      assert.equal(other.getTaskExecutionId(), handle.getTaskExecutionId())
    },
  ),

  engineCase(
    'handle.sees_all',
    'all ten statuses are seen through the handles of another executor',
    async (world) => {
      const runner = world.newExecutor()
      const client = world.newExecutor()
      const gate = createGate()
      const seen: Array<string> = []
      const [tasks] = [runner, client].map((executor) => {
        const gated = defineGated(executor, 'gated', gate)
        const failing = defineFailing(executor, 'failing')
        const finalized = (
          id: string,
          run: (ctx: Parameters<typeof gate.pass>[0]) => unknown,
        ): { id: string } =>
          executor.parentTask({
            id,
            timeoutMs: 60_000,
            runParent: () => ({ output: id }),
            finalizeTask: { id: `${id}_finalize`, timeoutMs: 60_000, run },
          })
        return {
          ready: { ...gated, sleepMsBeforeRun: 3_600_000 },
          running: gated,
          completed: defineEcho(executor, 'echo'),
          failed: failing,
          timed_out: executor.task({ id: 'slow', timeoutMs: 10, run: (ctx) => gate.pass(ctx) }),
          waiting_for_children_tasks: defineParentOf(executor, 'waiting', [{ task: gated, input: 'x' }]),
          children_tasks_failed: defineParentOf(executor, 'broken', [{ task: failing, input: 'no' }]),
          waiting_for_finalize_task: finalized('finalizing', (ctx) => gate.pass(ctx)),
          finalize_task_failed: finalized('unfinished', () => {
            throw new Error('no')
          }),
          cancelled: { ...gated, sleepMsBeforeRun: 3_600_000 },
        }
      })
      await runner.start()
      for (const [status, task] of Object.entries(tasks ?? {})) {
        const options = 'sleepMsBeforeRun' in task ? { sleepMsBeforeRun: 3_600_000 } : undefined
        const handle = await client.enqueueTask<string, unknown>({ id: task.id }, 'x', options)
        if (status === 'cancelled') {
          await world.until(handle.cancel())
        }
        await untilStatus(world, handle, status as 'ready')
        const view = await world.until(handle.getTaskExecution())
        assert.deepEqual(
          [view.status, view.taskId, view.executionId],
          [status, task.id, handle.getTaskExecutionId()],
        )
        seen.push(view.status)
      }
      assert.equal(new Set(seen).size, 10)
    },
  ),
]
