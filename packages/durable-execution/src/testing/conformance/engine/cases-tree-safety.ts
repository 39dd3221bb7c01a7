/** Cases: the promises about trees hold at every commit, not only in the end. */

import assert from 'node:assert/strict'

import { type InvariantId } from '../../../machine/invariants.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { defineEcho, untilAllClosed, untilTrue, watchInvariants } from './trees.ts'
import { type EngineWorld } from './world.ts'

/**
 * Two executors, little room, replies lost now and then: trees of parents with finalize tasks, of which
 * some succeed, some fail below, some fail at last, and some are cancelled. Answers what was violated.
 */
async function runBusyTrees(world: EngineWorld, invariant: InvariantId): Promise<Array<unknown>> {
  const watched = watchInvariants(world.storage)
  let begun = 0
  const executors = [0, 1].map(() => {
    const storage = createFaultyStorage(watched.storage)
    storage.failAtCommitWhen(({ operations }) => {
      const isWrite = operations.some((name) => /^(?:update|insert)/.test(name))
      begun += isWrite ? 1 : 0
      return isWrite && begun % 7 === 0 ? (begun % 2 === 0 ? 'lost_reply' : 'lost_in_between') : undefined
    })
    const executor = world.newExecutor({ storage, maxConcurrentTaskExecutions: 3 })
    const leaf = executor.task({
      id: 'leaf',
      timeoutMs: 60_000,
      retryOptions: { maxAttempts: 1, baseDelayMs: 100 },
      run: (ctx, input: string) => {
        if (input === 'fails' || (input === 'retries' && ctx.attempt === 0)) {
          throw new Error(input)
        }
        return input
      },
    })
    const tree = executor.parentTask<string, string, unknown, string>({
      id: 'tree',
      timeoutMs: 60_000,
      runParent: (_ctx, input) => ({
        output: input,
        childrenTasks: ['plain', 'retries', input, 'plain'].map((one) => ({ task: leaf, input: one })),
      }),
      finalizeTask: {
        id: 'second',
        timeoutMs: 60_000,
        runParent: (_ctx, { output }) => ({
          output,
          childrenTasks: [{ task: leaf, input: output === 'late' ? 'fails' : output }],
        }),
        finalizeTask: { id: 'third', timeoutMs: 60_000, run: () => 'done' },
      },
    })
    return { executor, tree }
  })
  const [first, second] = executors
  assert.ok(first && second)
  await Promise.all(executors.map(({ executor }) => executor.start()))
  const handles = await world.until(
    Promise.all(
      ['fine', 'fails', 'late', 'fine', 'fine', 'late'].map((input, index) =>
        (index % 2 === 0 ? first : second).executor.enqueueTask(first.tree, input),
      ),
    ),
  )
  await world.clock.advance(100)
  const [, , , cancelled] = handles
  assert.ok(cancelled)
  await world.until(cancelled.cancel())
  await untilAllClosed(world)
  return watched.violationsOf(invariant)
}

const SENTENCES = {
  S8: 'a waiting parent has all its children, and a parent that has not run has none',
  S9: 'the count of a parent is that of its children completed and closed',
  S10: 'no parent has two finalize executions',
  S11: 'no finalize execution is there before all children are completed and closed',
  S12: 'what became of a parent follows from its children and its finalize task',
  S13: 'nothing is active below a closed row that ended badly',
} as const

export const TREE_SAFETY_CASES: ReadonlyArray<EngineConformanceCase> = [
  ...Object.entries(SENTENCES).map(([rule, sentence]) =>
    engineCase(rule, `at every commit of a busy storage ${sentence}`, async (world) => {
      assert.deepEqual(await runBusyTrees(world, rule as InvariantId), [])
    }),
  ),

  engineCase(
    'S14',
    'an execution that a cancel says it cancelled never completes, whenever the cancel comes',
    async (world) => {
      const executor = world.newExecutor({ maxConcurrentTaskExecutions: 10 })
      const task = executor.task({
        id: 'task',
        timeoutMs: 60_000,
        run: async (ctx) => {
          await new Promise<void>((resolve) => {
            world.clock.setTimer(ctx.executionId.charCodeAt(34) % 5, resolve)
          })
        },
      })
      await executor.start()
      const handles = await Promise.all(
        Array.from({ length: 60 }, () => executor.enqueueTask(task, undefined)),
      )
      const answers = new Map<string, boolean>()
      for (const handle of handles) {
        const cancelling = handle
          .cancel()
          .then((isCancelled) => answers.set(handle.getTaskExecutionId(), isCancelled))
        await world.clock.advance(1)
        await world.until(cancelling)
      }
      await untilTrue(world, async () => (await world.rows()).every((row) => row.isClosed))
      for (const { executionId, status } of await world.rows()) {
        assert.equal(status, answers.get(executionId) === true ? 'cancelled' : 'completed')
      }
    },
  ),

  engineCase(
    'S16',
    'every enqueue that was acknowledged is in the storage, and no other, whatever failed',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const executor = world.newExecutor({ storage })
      const task = defineEcho(executor, 'task')
      storage.failWhen(
        (index) =>
          (['lost_request', undefined, undefined, 'lost_reply', 'lost_in_between'] as const)[index % 5],
      )
      const acknowledgedIds: Array<string> = []
      let refused = 0
      for (let round = 0; round < 20; round += 1) {
        const enqueues = Array.from({ length: 10 }, async (_, index) => {
          try {
            acknowledgedIds.push((await executor.enqueueTask(task, index)).getTaskExecutionId())
          } catch {
            refused += 1
          }
        })
        await world.until(Promise.all(enqueues))
      }
      storage.failWhen(undefined)
      const ids = new Set((await world.rows()).map((row) => row.executionId))
      assert.deepEqual(
        acknowledgedIds.filter((id) => !ids.has(id)),
        [],
      )
      assert.ok(acknowledgedIds.length + refused === 200 && acknowledgedIds.length > 150)
    },
  ),
]
