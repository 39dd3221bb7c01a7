/** Cases: what a handle shows of an execution in each status. */

import assert from 'node:assert/strict'

import { DurableExecutionError } from '../../../base/errors.ts'
import { type DurableTaskHandle } from '../../../client/handle.ts'
import { type DurableTaskExecution } from '../../../client/view.ts'
import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableTask } from '../../../task/define.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'

const ALWAYS = [
  'taskId',
  'executionId',
  'retryOptions',
  'sleepMsBeforeRun',
  'timeoutMs',
  'runInput',
  'priority',
  'status',
  'retryAttempts',
  'createdAt',
  'updatedAt',
]

const FAMILY = ['runOutput', 'childrenTasks']
const TIMES = ['startedAt', 'finishedAt']

/** The fields of the view are those of every view and the named ones. */
function assertFields(execution: DurableTaskExecution<unknown>, fields: Array<string>): void {
  assert.deepEqual(Object.keys(execution).toSorted(), [...ALWAYS, ...fields].toSorted(), execution.status)
}

type Tasks = Record<'ok' | 'broken' | 'stuck' | 'slow', DurableTask<unknown, unknown>>

function defineTasks(executor: DurableExecutor): Tasks {
  return {
    ok: executor.task({ id: 'ok', timeoutMs: 1_000, run: () => 'out' }),
    broken: executor.task({
      id: 'broken',
      timeoutMs: 1_000,
      run: () => {
        throw new DurableExecutionError('broke', false)
      },
    }),
    stuck: executor.task({
      id: 'stuck',
      timeoutMs: 3_600_000,
      run: (ctx) =>
        new Promise<string>((resolve) => {
          ctx.cancelSignal.onCancelled(() => resolve('told'))
        }),
    }),
    slow: executor.task({
      id: 'slow',
      timeoutMs: 500,
      run: (ctx) =>
        new Promise<string>((resolve) => {
          ctx.cancelSignal.onCancelled(() => resolve('told'))
        }),
    }),
  }
}

/** Parents of one child of each kind, with finalize tasks of each kind or none. */
function defineParent(
  executor: DurableExecutor,
  id: string,
  child: DurableTask<unknown, unknown> | undefined,
  finalize?: () => unknown,
): DurableTask<unknown, unknown> {
  return executor.parentTask({
    id,
    timeoutMs: 1_000,
    runParent: () => ({
      output: 'part',
      childrenTasks: child === undefined ? [] : [{ task: child, input: 1 }],
    }),
    finalizeTask:
      finalize === undefined ? undefined : { id: `${id}_finish`, timeoutMs: 3_600_000, run: finalize },
  })
}

const broke = (): never => {
  throw new DurableExecutionError('broke', false)
}

export const VIEW_CASES: Array<EngineConformanceCase> = [
  engineCase('view.fields', 'a view has the fields of its status and no others', async (world) => {
    const executor = world.newExecutor()
    const { ok, broken, stuck, slow } = defineTasks(executor)
    const retried = executor.task({
      id: 'retried',
      timeoutMs: 1_000,
      retryOptions: { maxAttempts: 1, baseDelayMs: 3_600_000 },
      run: () => {
        throw new Error('not yet')
      },
    })
    const never = (): Promise<unknown> => new Promise(() => {})
    await executor.start()
    const enqueue = async (task: DurableTask<unknown, unknown>): Promise<DurableTaskHandle<unknown>> =>
      await executor.enqueueTask(task, { in: 1 })
    const expected: Array<[string, DurableTaskHandle<unknown>, Array<string>]> = [
      ['ready', await executor.enqueueTask(ok, 1, { sleepMsBeforeRun: 3_600_000 }), ['startAt']],
      ['ready', await enqueue(retried), ['startAt', 'error']],
      ['running', await enqueue(stuck), ['startedAt', 'expiresAt']],
      ['failed', await enqueue(broken), ['error', ...TIMES]],
      ['timed_out', await enqueue(slow), ['error', ...TIMES]],
      ['completed', await enqueue(ok), [...FAMILY, 'output', ...TIMES]],
      [
        'completed',
        await enqueue(defineParent(executor, 'alone', undefined)),
        [...FAMILY, 'output', ...TIMES],
      ],
      [
        'completed',
        await enqueue(defineParent(executor, 'whole', ok, () => 'all')),
        [...FAMILY, 'finalizeTask', 'output', ...TIMES],
      ],
      [
        'waiting_for_children_tasks',
        await enqueue(defineParent(executor, 'waits', stuck)),
        [...FAMILY, 'startedAt'],
      ],
      [
        'children_tasks_failed',
        await enqueue(defineParent(executor, 'bereft', broken)),
        [...FAMILY, 'childrenTasksErrors', ...TIMES],
      ],
      [
        'waiting_for_finalize_task',
        await enqueue(defineParent(executor, 'almost', ok, never)),
        [...FAMILY, 'finalizeTask', 'startedAt'],
      ],
      [
        'finalize_task_failed',
        await enqueue(defineParent(executor, 'failing', ok, broke)),
        [...FAMILY, 'finalizeTask', 'finalizeTaskError', ...TIMES],
      ],
    ]
    await world.clock.advance(1_500)
    for (const [status, handle, fields] of expected) {
      const execution = await handle.getTaskExecution()
      assert.equal(execution.status, status)
      assertFields(execution, fields)
    }
  }),

  engineCase('view.cancelled', 'a cancelled view has what was known when it was cancelled', async (world) => {
    const executor = world.newExecutor()
    const { ok, stuck } = defineTasks(executor)
    await executor.start()
    const handles = [
      await executor.enqueueTask(ok, 1, { sleepMsBeforeRun: 3_600_000 }),
      await executor.enqueueTask(stuck, 1),
      await executor.enqueueTask(defineParent(executor, 'waits', stuck), 1),
    ]
    await world.clock.advance(200)
    const fields = [[], ['startedAt'], ['startedAt', ...FAMILY]]
    for (const [index, handle] of handles.entries()) {
      await world.until(handle.cancel())
      const execution = await handle.getTaskExecution()
      assert.equal(execution.status, 'cancelled')
      assertFields(execution, ['error', 'finishedAt', ...(fields[index] ?? [])])
    }
    await world.clock.advance(100)
  }),

  engineCase('view.family', 'a child’s view names its parent and the top of the tree', async (world) => {
    const executor = world.newExecutor()
    const { ok } = defineTasks(executor)
    const middle = defineParent(executor, 'middle', ok, () => 'all')
    const top = defineParent(executor, 'top', middle)
    await executor.start()
    const finished = await world.finish(await executor.enqueueTask(top, 1))
    const [middleId] = (finished.status === 'completed' && finished.childrenTasks) || []
    const middleHandle = await executor.getTaskHandle(middle, middleId?.executionId ?? '')
    const middleView = await middleHandle.getTaskExecution()
    const root = { taskId: 'top', executionId: finished.executionId }
    assert.deepEqual([middleView.parentTask, middleView.rootTask], [root, root])
    assert.ok(middleView.status === 'completed')
    const finish = await executor.getTaskHandle(
      { id: 'middle_finish' },
      middleView.finalizeTask?.executionId ?? '',
    )
    const finishView = await finish.getTaskExecution()
    assert.deepEqual(finishView.rootTask, root)
    assert.deepEqual(finishView.parentTask, {
      taskId: 'middle',
      executionId: middleView.executionId,
      isFinalizeTask: true,
    })
    assert.equal('rootTask' in finished || 'parentTask' in finished, false)
  }),

  engineCase('view.shares_nothing', 'whoever changes a view changes nothing else', async (world) => {
    const executor = world.newExecutor()
    const { ok } = defineTasks(executor)
    const handle = await executor.enqueueTask(ok, { list: [1] })
    const before = await handle.getTaskExecution()
    const changed = await handle.getTaskExecution()
    ;(changed.runInput as { list: Array<number> }).list.push(2)
    changed.retryOptions.maxAttempts = 99
    changed.createdAt.setTime(0)
    assert.deepEqual(await handle.getTaskExecution(), before)
  }),
]
