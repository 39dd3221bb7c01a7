/** Cases: a task that is run as if it were a function, its output awaited and its end thrown. */

import assert from 'node:assert/strict'

import { createCancelSignal } from '../../../base/cancel.ts'
import {
  DurableExecutionCancelledError,
  DurableExecutionError,
  DurableExecutionTimedOutError,
} from '../../../base/errors.ts'
import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableTask } from '../../../task/define.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { quickTask, untilTrue, waitingTask } from './lives.ts'
import { assertRefused, assertText } from './refusals.ts'
import { defineFailing, defineParentOf } from './trees.ts'
import { type EngineWorld } from './world.ts'

export const RUN_TASK_RULES: Record<string, string> = {
  'run_task.output': 'runTask enqueues, waits, and gives the output.',
  'run_task.throws':
    'What ends otherwise than completed is thrown: with its message, of its class, never retryable, with the execution.',
  'run_task.first_cause':
    'Where children or the finalize task ended badly, the message names the first cause.',
  'run_task.signal':
    'A cancelled signal ends the wait, and not the execution; cancelled before, it enqueues nothing.',
  'run_task.options': 'runTask takes the options of an enqueue, but for a transaction.',
}

/** What a `runTask` that must fail is thrown with. */
async function thrownBy(world: EngineWorld, call: Promise<unknown>): Promise<DurableExecutionError> {
  const [end] = await world.until(Promise.allSettled([call]))
  assert.equal(end?.status, 'rejected')
  const error: unknown = end.reason
  assert.ok(error instanceof DurableExecutionError, String(error))
  assert.equal(error.isRetryable, false)
  return error
}

/** The error must be of that class, with that message, and of an execution of that task that ended so. */
async function assertThrown(
  world: EngineWorld,
  call: Promise<unknown>,
  expected: {
    class: abstract new (...given: never) => DurableExecutionError
    message: string | RegExp
    taskId: string
    status: string
  },
): Promise<void> {
  const error = await thrownBy(world, call)
  assert.equal(error.constructor, expected.class)
  assertText(error.message, expected.message)
  const row = await world.row(error.execution?.executionId ?? '')
  assert.deepEqual([row.taskId, row.status], [expected.taskId, expected.status])
  assert.equal(error.execution?.taskId, expected.taskId)
}

const endings = (executor: DurableExecutor): Record<string, DurableTask<unknown, unknown>> => ({
  failed: executor.task({
    id: 'failed',
    timeoutMs: 1_000,
    run: () => {
      throw new Error('boom')
    },
  }),
  timedOut: executor.task({
    id: 'timed_out',
    timeoutMs: 500,
    run: (ctx) => new Promise((resolve) => ctx.cancelSignal.onCancelled(() => resolve(1))),
  }),
  cancelled: executor.task({
    id: 'cancelled',
    timeoutMs: 1_000,
    run: () => {
      throw new DurableExecutionCancelledError('given up')
    },
  }),
})

export const RUN_TASK_CASES: Array<EngineConformanceCase> = [
  engineCase('run_task.output', 'the output of a plain task and of a parent is given', async (world) => {
    const executor = world.newExecutor()
    const double = executor.task({ id: 'double', timeoutMs: 1_000, run: (_ctx, n: number) => n * 2 })
    const nothing = executor.task({ id: 'nothing', timeoutMs: 1_000, run: () => {} })
    const parent = defineParentOf(executor, 'parent', [{ task: double, input: 3 }])
    await world.until(executor.start())
    assert.equal(await world.until(executor.runTask(double, 21)), 42)
    assert.equal(await world.until(executor.runTask(nothing, undefined)), undefined)
    const { childrenTasksOutputs } = await world.until(executor.runTask(parent, undefined))
    assert.deepEqual(
      childrenTasksOutputs.map(({ output }) => output),
      [6],
    )
  }),

  engineCase(
    'run_task.throws',
    'how an execution ended is thrown, with the class of its end',
    async (world) => {
      const executor = world.newExecutor()
      const { failed, timedOut, cancelled } = endings(executor)
      assert.ok(failed && timedOut && cancelled)
      await world.until(executor.start())
      await assertThrown(world, executor.runTask(failed, 1), {
        class: DurableExecutionError,
        message: 'boom',
        taskId: 'failed',
        status: 'failed',
      })
      await assertThrown(world, executor.runTask(timedOut, 1), {
        class: DurableExecutionTimedOutError,
        message: 'Task timed out',
        taskId: 'timed_out',
        status: 'timed_out',
      })
      await assertThrown(world, executor.runTask(cancelled, 1), {
        class: DurableExecutionCancelledError,
        message: 'given up',
        taskId: 'cancelled',
        status: 'cancelled',
      })
      await assertRefused(() => executor.runTask({ id: 'unknown' }, 1), /^Task unknown not found/)
      await assertRefused(
        () => executor.runTask('failed' as never, 1),
        /^A task is what executor\.task returned/,
      )
    },
  ),

  engineCase(
    'run_task.first_cause',
    'what is thrown for a tree names the child or the finalize task that ended it',
    async (world) => {
      const executor = world.newExecutor({ maxConcurrentTaskExecutions: 1 })
      const bad = defineFailing(executor, 'bad')
      const parent = defineParentOf(executor, 'parent', [
        { task: bad, input: 'first' },
        { task: bad, input: 'second', options: { sleepMsBeforeRun: 60_000 } },
      ])
      const outer = defineParentOf(executor, 'outer', [{ task: parent, input: undefined }])
      const last = executor.parentTask({
        id: 'last',
        timeoutMs: 1_000,
        runParent: () => ({ output: 1 }),
        finalizeTask: {
          id: 'finalize',
          timeoutMs: 1_000,
          run: () => {
            throw new Error('no end')
          },
        },
      })
      await world.until(executor.start())
      const failed = { class: DurableExecutionError, taskId: 'parent', status: 'children_tasks_failed' }
      await assertThrown(world, executor.runTask(parent, undefined), {
        ...failed,
        message: /^Child task bad with id te_\w+ failed: first$/,
      })
      await assertThrown(world, executor.runTask(outer, undefined), {
        ...failed,
        message:
          /^Child task parent with id te_\w+ failed: Children task errors:\n {2}Child task with id te_\w+ failed: first/,
        taskId: 'outer',
      })
      await assertThrown(world, executor.runTask(last, undefined), {
        class: DurableExecutionError,
        message: /^Finalize task with id te_\w+ failed: no end$/,
        taskId: 'last',
        status: 'finalize_task_failed',
      })
    },
  ),

  engineCase('run_task.signal', 'a signal ends the wait and leaves the execution alone', async (world) => {
    const executor = world.newExecutor()
    const { task, started } = waitingTask(executor, 'task')
    await world.until(executor.start())
    const [signal, cancel] = createCancelSignal()
    const controller = new AbortController()
    for (const [given, fire] of [
      [signal, cancel],
      [controller.signal, () => controller.abort()],
    ] as const) {
      const running = executor.runTask(task, 1, { signal: given })
      running.catch(() => {})
      const before = started.length
      await untilTrue(world, () => started.length > before)
      fire()
      const error = await thrownBy(world, running)
      assert.ok(error instanceof DurableExecutionCancelledError)
      const { executionId = '' } = error.execution ?? {}
      assert.equal(
        error.message,
        `Waiting for execution ${executionId} of task task was cancelled; the execution goes on`,
      )
      started.at(-1)?.gate.open('done')
      const handle = await world.until(executor.getTaskHandle(task, executionId))
      assert.equal((await world.finish(handle)).status, 'completed')
      const rows = (await world.rows()).length
      const again = await thrownBy(world, executor.runTask(task, 1, { signal: given }))
      assert.equal(again.message, 'Task task was not enqueued: the signal of runTask was cancelled before')
      assert.equal((await world.rows()).length, rows)
    }
  }),

  engineCase(
    'run_task.options',
    'the options of an enqueue count, and a transaction is refused',
    async (world) => {
      const executor = world.newExecutor()
      let runs = 0
      const task = quickTask(executor, 'task', () => (runs += 1))
      await world.until(executor.start())
      const options = { idempotencyKey: 'k', sleepMsBeforeRun: 1_000 }
      const outputs = [executor.runTask(task, 1, options), executor.runTask(task, 1, options)]
      assert.deepEqual(await world.until(Promise.all(outputs)), [1, 1])
      assert.equal(await world.until(executor.runTask(task, 1, options)), 1)
      await assertRefused(
        () => executor.runTask(task, 1, { transaction: {} } as never),
        /^Option transaction of runTask of task task is not possible/,
      )
      await assertRefused(() => executor.runTask(task, 1, { signal: 5 as never }), /^Invalid signal: /)
      await assertRefused(() => executor.runTask(task, 1, 5 as never), /^Invalid options for task task/)
      assert.equal((await world.rows()).length, 1)
      await world.until(executor.shutdown())
      await assertRefused(() => executor.runTask(task, 1), 'Executor shutdown')
    },
  ),
]
