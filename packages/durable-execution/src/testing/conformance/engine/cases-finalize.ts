/** Cases: the finalize task of a parent. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableTask } from '../../../task/define.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  childrenOf,
  createGate,
  defineEcho,
  defineFailing,
  outputOf,
  untilAllClosed,
  untilStatus,
  untilTrue,
  watchInvariants,
} from './trees.ts'

type Given = { input: unknown; output: unknown; childrenTasksOutputs: Array<{ output: unknown }> }

const outputsIn = (given: Pick<Given, 'childrenTasksOutputs'>): Array<unknown> =>
  given.childrenTasksOutputs.map((one) => one.output)

/** A parent of two echoing children whose finalize task runs the given function. */
function defineFinalized(
  executor: DurableExecutor,
  run: (given: Given) => unknown,
  retries: number = 0,
): DurableTask<string, unknown> {
  const child = defineEcho(executor, 'child')
  return executor.parentTask<string, string, unknown>({
    id: 'parent',
    timeoutMs: 60_000,
    runParent: (_ctx, input) => ({
      output: `run of ${input}`,
      childrenTasks: ['a', 'b'].map((one) => ({ task: child, input: one })),
    }),
    finalizeTask: {
      id: 'finalize',
      timeoutMs: 7_000,
      sleepMsBeforeRun: 2_000,
      retryOptions: { maxAttempts: retries },
      run: (_ctx, given) => run(given),
    },
  })
}

/** What finalize tasks do. */
export const FINALIZE_CASES: ReadonlyArray<EngineConformanceCase> = [
  engineCase(
    'finalize.input',
    'a finalize task is given the input, the output and the outputs of the children',
    async (world) => {
      const executor = world.newExecutor()
      const parent = defineFinalized(executor, (given) => given)
      await executor.start()
      const handle = await executor.enqueueTask(parent, 'x')
      const output = outputOf(await world.finish(handle))
      const children = await childrenOf(world, handle.getTaskExecutionId())
      assert.deepEqual(output, {
        input: 'x',
        output: 'run of x',
        childrenTasksOutputs: ['a', 'b'].map((one, index) => ({
          index,
          taskId: 'child',
          executionId: children[index]?.executionId,
          output: one,
        })),
      })
    },
  ),

  engineCase(
    'finalize.output',
    'the output of the finalize task becomes the parent’s, and the run’s own stays beside it',
    async (world) => {
      const executor = world.newExecutor()
      const parent = defineFinalized(executor, (given) => outputsIn(given).join('+'))
      await executor.start()
      const execution = await world.finish(await executor.enqueueTask(parent, 'x'))
      assert.equal(outputOf(execution), 'a+b')
      assert.equal(execution.status === 'completed' && execution.runOutput, 'run of x')
    },
  ),

  engineCase(
    'finalize.row',
    'the finalize execution appears when all children are done, below its parent and with its own options',
    async (world) => {
      const executor = world.newExecutor()
      const parent = defineFinalized(executor, () => 'done')
      await executor.start()
      const handle = await executor.enqueueTask(parent, 'x')
      await untilStatus(world, handle, 'waiting_for_finalize_task')
      const row = await world.row(handle.getTaskExecutionId())
      const finalize = await world.row(row.finalizeTask?.executionId ?? '')
      const place = { taskId: 'parent', executionId: row.executionId }
      assert.deepEqual(finalize.parentTask, { ...place, isFinalizeTask: true })
      assert.deepEqual(finalize.rootTask, place)
      assert.deepEqual(
        [finalize.taskId, finalize.timeoutMs, finalize.sleepMsBeforeRun],
        ['finalize', 7_000, 2_000],
      )
      assert.equal(row.childrenTasksCompletedCount, 2)
      outputOf(await world.finish(handle))
      assert.equal((await world.rows()).length, 4)
    },
  ),

  engineCase(
    'finalize.once',
    'a finalize execution is made once, however many executors see the last child end',
    async (world) => {
      const watched = watchInvariants(world.storage)
      const executors = Array.from({ length: 3 }, () =>
        world.newExecutor({ storage: watched.storage, maxConcurrentTaskExecutions: 1 }),
      )
      let finalized = 0
      const [parent] = executors.map((executor) =>
        defineFinalized(executor, () => {
          finalized += 1
        }),
      )
      assert.ok(parent && executors[0])
      const handle = await executors[0].enqueueTask(parent, 'x')
      await Promise.all(executors.map((executor) => executor.start()))
      outputOf(await world.finish(handle))
      assert.equal(finalized, 1)
      assert.deepEqual(watched.violationsOf('S10'), [])
    },
  ),

  engineCase(
    'finalize.not_validated',
    'the input of a finalize task is not validated by the parent’s check',
    async (world) => {
      const executor = world.newExecutor()
      const parent = executor
        .validateInput((input: string) => {
          assert.equal(typeof input, 'string')
          return input
        })
        .parentTask({
          id: 'parent',
          timeoutMs: 60_000,
          runParent: () => ({ output: 1 }),
          finalizeTask: { id: 'finalize', timeoutMs: 60_000, run: () => 'as it is' },
        })
      await executor.start()
      assert.equal(outputOf(await world.finish(await executor.enqueueTask(parent, 'x'))), 'as it is')
    },
  ),

  engineCase(
    'finalize.failing',
    'a finalize task that ends badly ends its parent with its error',
    async (world) => {
      const executor = world.newExecutor()
      const parent = defineFinalized(executor, () => {
        throw new Error('the printer burns')
      })
      await executor.start()
      const handle = await executor.enqueueTask(parent, 'x')
      const execution = await world.finish(handle)
      assert.equal(execution.status, 'finalize_task_failed')
      assert.equal(execution.finalizeTaskError.message, 'the printer burns')
      const rows = await untilAllClosed(world)
      assert.deepEqual(rows.map(({ status }) => status).toSorted(), [
        'completed',
        'completed',
        'failed',
        'finalize_task_failed',
      ])
    },
  ),

  engineCase(
    'finalize.failing',
    'a finalize task is retried as it says, and only then ends its parent',
    async (world) => {
      const executor = world.newExecutor()
      let runs = 0
      const parent = defineFinalized(
        executor,
        () => {
          runs += 1
          if (runs < 3) {
            throw new Error('again')
          }
          return runs
        },
        2,
      )
      await executor.start()
      assert.equal(outputOf(await world.finish(await executor.enqueueTask(parent, 'x'))), 3)
    },
  ),

  engineCase('finalize.failing', 'a finalize execution that is cancelled ends its parent', async (world) => {
    const executor = world.newExecutor()
    const gate = createGate()
    const parent = executor.parentTask({
      id: 'parent',
      timeoutMs: 60_000,
      runParent: () => ({ output: 1 }),
      finalizeTask: { id: 'finalize', timeoutMs: 60_000, run: (ctx) => gate.pass(ctx) },
    })
    await executor.start()
    const handle = await executor.enqueueTask(parent, undefined)
    await untilTrue(world, () => gate.arrivedIds.length === 1)
    const finalize = await executor.getTaskHandle({ id: 'finalize' }, gate.arrivedIds[0] ?? '')
    assert.equal(await world.until(finalize.cancel()), true)
    const execution = await world.finish(handle)
    assert.equal(execution.status, 'finalize_task_failed')
    assert.equal(execution.finalizeTaskError.getErrorType(), 'cancelled')
  }),

  engineCase(
    'finalize.not_after_failure',
    'a finalize task is never made when a child ended badly',
    async (world) => {
      const executor = world.newExecutor()
      const failing = defineFailing(executor, 'failing')
      let finalized = 0
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 60_000,
        runParent: () => ({ output: 1, childrenTasks: [{ task: failing, input: 'no' }] }),
        finalizeTask: {
          id: 'finalize',
          timeoutMs: 60_000,
          run: () => {
            finalized += 1
          },
        },
      })
      await executor.start()
      const handle = await executor.enqueueTask(parent, undefined)
      assert.equal((await world.finish(handle)).status, 'children_tasks_failed')
      assert.equal((await untilAllClosed(world)).length, 2)
      assert.equal(finalized, 0)
    },
  ),
]
