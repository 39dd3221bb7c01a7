/** Cases: how many children of a parent may end badly, and what counts them. */

import assert from 'node:assert/strict'

import { type DurableChildTask } from '../../../task/define.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { defineSettling, shortly } from './cases-children-policies.ts'
import { assertRefused } from './refusals.ts'
import { createGate, defineEcho, defineFailing, defineGated, outputOf, untilAllClosed } from './trees.ts'

export const TOLERATED_FAILURES_CASES: ReadonlyArray<EngineConformanceCase> = [
  engineCase(
    'policy.tolerate',
    'so many children may end badly, and one more ends the parent and cancels the rest',
    async (world) => {
      const executor = world.newExecutor()
      const failing = defineFailing(executor, 'failing')
      const echo = defineEcho(executor, 'echo')
      const gate = createGate()
      const gated = defineGated(executor, 'gated', gate)
      const input = (name: string, sleepMsBeforeRun: number): DurableChildTask => ({
        task: failing,
        input: name,
        options: { sleepMsBeforeRun },
      })
      const parent = defineSettling(world, executor, { tolerateFailures: 2 }, [
        input('second', 2_000),
        { task: echo, input: 'fine' },
        input('first', 1_000),
      ])
      const strict = executor.parentTask({
        id: 'strict',
        timeoutMs: 1_000,
        childrenPolicy: { tolerateFailures: 1 },
        runParent: () => ({
          output: 0,
          childrenTasks: [input('second', 2_000), { task: gated, input: '' }, input('first', 1_000)],
        }),
      })
      world.toleratedFailures.set('strict', 1)
      await executor.start()
      const { childrenTasksOutputs } = outputOf(await world.finish(await executor.enqueueTask(parent, '')))
      assert.deepEqual(childrenTasksOutputs.map(shortly), ['failed second', 'completed fine', 'failed first'])
      const handle = await executor.enqueueTask(strict, undefined)
      await world.clock.advance(1_500)
      assert.equal((await world.until(handle.getTaskExecution())).status, 'waiting_for_children_tasks')
      const end = await world.finish(handle)
      assert.equal(end.status, 'children_tasks_failed')
      assert.deepEqual(
        end.childrenTasksErrors.map(({ index, error }) => [index, error.message]),
        [
          [2, 'first'],
          [0, 'second'],
        ],
      )
      await untilAllClosed(world)
      assert.equal(gate.toldToStopIds.length, 1)
    },
  ),

  engineCase(
    'policy.tolerate',
    'where none may fail the first ends the parent, and the output says how each ended',
    async (world) => {
      const executor = world.newExecutor()
      const failing = defineFailing(executor, 'failing')
      const echo = defineEcho(executor, 'echo')
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 1_000,
        childrenPolicy: { tolerateFailures: 0 },
        runParent: (_ctx, isFailing: boolean) => ({
          output: 0,
          childrenTasks: [isFailing ? { task: failing, input: 'no' } : { task: echo, input: 'yes' }],
        }),
      })
      await executor.start()
      const bad = await world.finish(await executor.enqueueTask(parent, true))
      assert.equal(bad.status, 'children_tasks_failed')
      const good = outputOf(await world.finish(await executor.enqueueTask(parent, false)))
      assert.deepEqual(good.childrenTasksOutputs.map(shortly), ['completed yes'])
    },
  ),

  engineCase(
    'policy.many',
    'however many children fail, the parent goes on after the last',
    async (world) => {
      const executor = world.newExecutor()
      const task = executor.task({
        id: 'task',
        timeoutMs: 1_000,
        run: (_ctx, input: number) => {
          if (input % 7 > 0) {
            throw new Error(`no ${input}`)
          }
          return input
        },
      })
      const inputs = Array.from({ length: 140 }, (_, index) => index)
      const parent = defineSettling(
        world,
        executor,
        'settle',
        inputs.map((input) => ({ task, input })),
      )
      const strict = executor.parentTask({
        id: 'strict',
        timeoutMs: 1_000,
        childrenPolicy: { tolerateFailures: 110 },
        runParent: () => ({ output: 0, childrenTasks: inputs.map((input) => ({ task, input })) }),
      })
      world.toleratedFailures.set('strict', 110)
      await executor.start()
      const { childrenTasksOutputs } = outputOf(await world.finish(await executor.enqueueTask(parent, '')))
      assert.deepEqual(
        childrenTasksOutputs.map(shortly),
        inputs.map((input) => (input % 7 > 0 ? `failed no ${input}` : `completed ${input}`)),
      )
      const end = await world.finish(await executor.enqueueTask(strict, undefined))
      assert.equal(end.status, 'children_tasks_failed')
      assert.equal(end.childrenTasksErrors.length, 100)
      await untilAllClosed(world)
    },
  ),

  engineCase(
    'policy.lost_replies',
    'a child that fails is counted once, whatever becomes of the transactions that say so',
    async (world) => {
      for (const fault of ['lost_request', 'lost_reply'] as const) {
        const storage = createFaultyStorage(world.storage)
        const executor = world.newExecutor({ storage })
        const parent = defineSettling(world, executor, 'settle', [
          { task: defineFailing(executor, 'failing'), input: 'no' },
          { task: defineEcho(executor, 'echo'), input: 1, options: { sleepMsBeforeRun: 2_000 } },
          { task: { id: 'failing' }, input: 'nor this', options: { sleepMsBeforeRun: 4_000 } },
        ])
        await executor.start()
        // Every third one of the first that write: what is tried again goes through.
        let writes = 0
        storage.failAtCommitWhen(({ operations }) => {
          const isWrite = operations.some((name) => name.startsWith('update'))
          writes += isWrite ? 1 : 0
          return isWrite && writes % 3 === 1 && writes < 15 ? fault : undefined
        })
        const handle = await world.until(executor.enqueueTask(parent, ''))
        const { childrenTasksOutputs } = outputOf(await world.finish(handle))
        assert.deepEqual(childrenTasksOutputs.map(shortly), ['failed no', 'completed 1', 'failed nor this'])
        storage.failAtCommitWhen(undefined)
        await world.until(executor.shutdown())
      }
    },
  ),

  engineCase('policy.refused', 'a policy is one of the three, and for parent tasks alone', async (world) => {
    const executor = world.newExecutor()
    const runParent = (): { output: number } => ({ output: 1 })
    const wrong = ['ignore', '', 3, true, [], {}, ...[-1, 1.5, NaN, Infinity, '1', null].map(toleration)]
    for (const childrenPolicy of wrong) {
      await assertRefused(
        () => executor.parentTask({ id: 'x', timeoutMs: 1, runParent, childrenPolicy } as never),
        /^Invalid childrenPolicy of task x: must be fail_fast, settle or \{ tolerateFailures: n \}/,
      )
    }
    await assertRefused(
      () => executor.task({ id: 'x', timeoutMs: 1, run: runParent, childrenPolicy: 'settle' } as never),
      /^Option childrenPolicy of task x is for parent tasks/,
    )
    executor.parentTask({ id: 'x', timeoutMs: 1, runParent, childrenPolicy: null })
    executor.parentTask({ id: 'y', timeoutMs: 1, runParent, childrenPolicy: 'fail_fast' })
  }),
]

function toleration(tolerateFailures: unknown): object {
  return { tolerateFailures }
}
