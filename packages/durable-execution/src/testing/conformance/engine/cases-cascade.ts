/** Cases: what is below an execution that was cancelled or ended badly is cancelled too, all the way down. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { LIMITS } from '../../../base/limits.ts'
import { type DurableTask } from '../../../task/define.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  childrenOf,
  createGate,
  defineEcho,
  defineGated,
  defineParentOf,
  defineTree,
  type Gate,
  untilAllClosed,
  untilStatus,
  untilTrue,
} from './trees.ts'

const sleeping = { sleepMsBeforeRun: 3_600_000 }

const defineDeepTree = (executor: DurableExecutor, gate: Gate): DurableTask<unknown, unknown> =>
  defineTree(executor, { depth: 5, width: 2, bottom: defineGated(executor, 'bottom', gate) })

/** A parent of so many children that sleep. */
function defineWide(executor: DurableExecutor, width: number): DurableTask<unknown, unknown> {
  const child = defineEcho(executor, 'child')
  return defineParentOf(
    executor,
    'wide',
    Array.from({ length: width }, (_, index) => ({ task: child, input: index, options: sleeping })),
  )
}

export const CASCADE_CASES: ReadonlyArray<EngineConformanceCase> = [
  engineCase(
    'cascade.depth',
    'cancelling the top of a tree five deep cancels and closes every row of it',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const tree = defineDeepTree(executor, gate)
      await executor.start()
      const handle = await executor.enqueueTask(tree, 'top')
      await untilTrue(world, () => gate.arrivedIds.length === 16)
      assert.equal(await world.until(handle.cancel()), true)
      const rows = await untilAllClosed(world)
      assert.equal(rows.length, 31)
      assert.ok(rows.every(({ status }) => status === 'cancelled'))
      assert.equal(new Set(gate.toldToStopIds).size, 16)
    },
  ),

  engineCase(
    'cascade.depth',
    'a failure at the bottom of a tree cancels all that is beside it, up to the top',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const tree = defineTree(executor, {
        depth: 5,
        width: 2,
        bottom: executor.task({
          id: 'bottom',
          timeoutMs: 3_600_000,
          run: async (ctx) => {
            if (gate.arrivedIds.length === 15) {
              throw new Error('the last straw')
            }
            await gate.pass(ctx)
          },
        }),
      })
      await executor.start()
      const execution = await world.finish(await executor.enqueueTask(tree, 'top'))
      assert.equal(execution.status, 'children_tasks_failed')
      assert.match(execution.childrenTasksErrors[0]?.error.message ?? '', /the last straw/)
      const statuses = (await untilAllClosed(world)).map(({ status }) => status)
      const count = (wanted: string): number => statuses.filter((status) => status === wanted).length
      assert.deepEqual([count('failed'), count('children_tasks_failed'), count('cancelled')], [1, 4, 26])
    },
  ),

  engineCase('cascade.message', 'what is below is told which parent failed, and why', async (world) => {
    const executor = world.newExecutor()
    const gate = createGate()
    const tree = defineTree(executor, { depth: 3, width: 1, bottom: defineGated(executor, 'bottom', gate) })
    await executor.start()
    const handle = await executor.enqueueTask(tree, 'top')
    await untilTrue(world, () => gate.arrivedIds.length === 1)
    await world.until(handle.cancel())
    await untilAllClosed(world)
    const [middle] = await childrenOf(world, handle.getTaskExecutionId())
    const [bottom] = await childrenOf(world, middle?.executionId ?? '')
    const first = `Parent task level_1 with execution id ${handle.getTaskExecutionId()} failed: Task cancelled`
    assert.deepEqual(middle?.error, { errorType: 'cancelled', message: first, isRetryable: false })
    // Only the first cause is told: the message does not grow with the depth of the tree.
    const second = `Parent task level_2 with execution id ${middle.executionId} failed: Task cancelled`
    assert.deepEqual(bottom?.error, { errorType: 'cancelled', message: second, isRetryable: false })
  }),

  engineCase(
    'cascade.finalize',
    'the finalize execution of a cancelled parent is cancelled, with all below it',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const child = defineGated(executor, 'child', gate)
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 60_000,
        runParent: () => ({ output: 1 }),
        finalizeTask: {
          id: 'finalize',
          timeoutMs: 60_000,
          runParent: () => ({ output: 1, childrenTasks: [{ task: child, input: 'x' }] }),
        },
      })
      await executor.start()
      const handle = await executor.enqueueTask(parent, undefined)
      await untilTrue(world, () => gate.arrivedIds.length === 1)
      await world.until(handle.cancel())
      const rows = await untilAllClosed(world)
      assert.deepEqual(
        rows.map(({ status }) => status),
        ['cancelled', 'cancelled', 'cancelled'],
      )
      assert.equal(gate.toldToStopIds.length, 1)
    },
  ),

  engineCase(
    'cascade.batches',
    'a fan-out of two thousand is cancelled in batches, each a transaction of its own',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const executor = world.newExecutor({ storage })
      const wide = defineWide(executor, 2_000)
      await executor.start()
      const handle = await executor.enqueueTask(wide, undefined)
      await untilStatus(world, handle, 'waiting_for_children_tasks')
      const before = storage.transactions()
      assert.equal(await world.until(handle.cancel()), true)
      const rows = await untilAllClosed(world)
      assert.equal(rows.length, 2_001)
      assert.ok(rows.every(({ status }) => status === 'cancelled'))
      const batches = Math.ceil(2_000 / LIMITS.idsPerCall)
      const writes = storage
        .traces()
        .slice(before)
        .filter(({ operations }) => operations.some((name) => name.startsWith('update')))
      assert.ok(writes.length > batches, `it took ${writes.length} transactions that wrote`)
      assert.ok(
        storage.transactions() - before < 100,
        `it took ${storage.transactions() - before} transactions`,
      )
    },
  ),

  engineCase(
    'cascade.crash',
    'a cascade whose process dies in the middle is finished by another',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const first = world.newExecutor({ storage })
      const wide = defineWide(first, 30)
      await first.start()
      const handle = await first.enqueueTask(wide, undefined)
      await untilStatus(world, handle, 'waiting_for_children_tasks')
      // The cancel itself is committed; nothing that follows from it is.
      const cancelAt = storage.transactions()
      storage.failWhen((index) => (index > cancelAt ? 'hang' : undefined))
      void handle.cancel().catch(() => {})
      await untilTrue(
        world,
        async () => (await world.row(handle.getTaskExecutionId())).status === 'cancelled',
      )
      world.kill(first)
      const rows = await world.rows()
      assert.ok(rows.some(({ status }) => status === 'ready'))
      const second = world.newExecutor()
      defineWide(second, 30)
      await second.start()
      const startedAt = world.clock.monotonicNow()
      assert.ok((await untilAllClosed(world)).every(({ status }) => status === 'cancelled'))
      assert.ok(world.clock.monotonicNow() - startedAt <= 2_000)
    },
  ),

  engineCase(
    'cascade.race',
    'a child that fans out while its parent is cancelled leaves nothing active below',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const leaf = defineEcho(executor, 'leaf')
      const middle = executor.parentTask({
        id: 'middle',
        timeoutMs: 60_000,
        runParent: async (ctx) => {
          await gate.pass(ctx)
          return {
            output: 1,
            childrenTasks: Array.from({ length: 3 }, () => ({ task: leaf, input: 1, options: sleeping })),
          }
        },
      })
      const top = defineParentOf(
        executor,
        'top',
        Array.from({ length: 8 }, () => ({ task: middle, input: 1 })),
      )
      await executor.start()
      const handle = await executor.enqueueTask(top, undefined)
      await untilTrue(world, () => gate.arrivedIds.length === 8)
      gate.open()
      assert.equal(await world.until(handle.cancel()), true)
      const rows = await untilAllClosed(world)
      assert.ok(rows.every(({ status }) => status === 'cancelled'))
    },
  ),

  engineCase(
    'cascade.client',
    'a client that never started cancels a waiting tree, and closes all of it before it answers',
    async (world) => {
      const gate = createGate()
      const runner = world.newExecutor()
      const tree = defineDeepTree(runner, gate)
      await runner.start()
      const client = world.newExecutor()
      defineDeepTree(client, gate)
      const handle = await client.enqueueTask(tree, 'top')
      await untilTrue(world, () => gate.arrivedIds.length === 16)
      world.kill(runner)
      // The process may end as soon as the cancel is answered, so what follows must be written by then.
      const rows = await world.until(handle.cancel().then(() => world.rows()))
      assert.equal(rows.length, 31)
      assert.ok(rows.every(({ status, isClosed }) => status === 'cancelled' && isClosed))
    },
  ),

  engineCase(
    'cascade.client',
    'an executor that has shut down still closes what it cancels',
    async (world) => {
      const executor = world.newExecutor()
      const wide = defineWide(executor, 3)
      await executor.start()
      const handle = await executor.enqueueTask(wide, undefined)
      await untilStatus(world, handle, 'waiting_for_children_tasks')
      await world.until(executor.shutdown())
      const rows = await world.until(handle.cancel().then(() => world.rows()))
      assert.ok(rows.every(({ status, isClosed }) => status === 'cancelled' && isClosed))
    },
  ),

  engineCase(
    'cascade.unknown_tasks',
    'a cascade goes through rows of tasks that are not known where it is done',
    async (world) => {
      const gate = createGate()
      const runner = world.newExecutor()
      const tree = defineDeepTree(runner, gate)
      await runner.start()
      const handle = await runner.enqueueTask(tree, 'top')
      await untilTrue(world, () => gate.arrivedIds.length === 16)
      world.kill(runner)
      const client = world.newExecutor()
      client.task({ id: 'level_1', timeoutMs: 1, run: () => 0 })
      const top = await world.until(client.getTaskHandle({ id: 'level_1' }, handle.getTaskExecutionId()))
      assert.equal(await world.until(top.cancel()), true)
      assert.ok((await world.rows()).every(({ status, isClosed }) => status === 'cancelled' && isClosed))
    },
  ),
]
