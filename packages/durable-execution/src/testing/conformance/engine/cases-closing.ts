/** Cases: what follows from an end is written once, whatever fails meanwhile. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { leaveTree, runChildren } from './left-trees.ts'
import {
  childrenOf,
  createGate,
  defineEcho,
  defineGated,
  defineParentOf,
  outputOf,
  untilAllClosed,
  untilTrue,
} from './trees.ts'

/** How often a parent is told, and by whom. */
export const CLOSING_CASES: ReadonlyArray<EngineConformanceCase> = [
  engineCase(
    'close.once',
    'a child is counted once, though the reply of every write was lost once',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const executor = world.newExecutor({ storage })
      const child = defineEcho(executor, 'child')
      const parent = defineParentOf(
        executor,
        'parent',
        [1, 2, 3].map((input) => ({ task: child, input })),
      )
      const handle = await executor.enqueueTask(parent, undefined)
      const lost = new Set<string>()
      storage.failAtCommitWhen(({ operations }) => {
        const kind = operations.join()
        const isFirst = /update|lock|insert|claim/.test(kind) && !lost.has(kind)
        lost.add(kind)
        return isFirst ? 'lost_reply' : undefined
      })
      await executor.start()
      outputOf(await world.finish(handle))
      storage.failAtCommitWhen(undefined)
      await untilAllClosed(world)
      assert.equal((await world.row(handle.getTaskExecutionId())).childrenTasksCompletedCount, 3)
      assert.equal((await world.rows()).length, 4)
    },
  ),

  engineCase(
    'close.once',
    'a child that two sweeping executors close at once is counted once',
    async (world) => {
      const handle = await leaveTree(world, { parentId: 'parent', width: 20 })
      const runner = await runChildren(world)
      await world.until(runner.shutdown())
      const closers = [world.newExecutor(), world.newExecutor(), world.newExecutor()]
      for (const executor of closers) {
        defineParentOf(executor, 'parent', [])
      }
      await Promise.all(closers.map((executor) => executor.start()))
      outputOf(await world.finish(handle, 5_000))
      assert.equal((await world.row(handle.getTaskExecutionId())).childrenTasksCompletedCount, 20)
    },
  ),

  engineCase(
    'close.with_the_telling',
    'a closing that could not be committed tells the parent nothing, and is done again',
    async (world) => {
      const handle = await leaveTree(world, { parentId: 'parent', width: 1 })
      await world.until((await runChildren(world)).shutdown())
      const storage = createFaultyStorage(world.storage)
      const knowing = world.newExecutor({ storage })
      defineParentOf(knowing, 'parent', [])
      let failures = 0
      let isFailing = true
      storage.failAtCommitWhen(({ operations }) => {
        const isWrite = operations.filter((name) => /^(?:update|insert)/.test(name)).length > 0
        failures += isWrite && isFailing ? 1 : 0
        return isWrite && isFailing ? 'lost_in_between' : undefined
      })
      await knowing.start()
      await untilTrue(world, () => failures >= 2)
      const row = await world.row(handle.getTaskExecutionId())
      const [child] = await childrenOf(world, handle.getTaskExecutionId())
      assert.deepEqual([row.childrenTasksCompletedCount, child?.isClosed], [0, false])
      isFailing = false
      outputOf(await world.finish(handle, 20_000))
    },
  ),

  engineCase(
    'close.after_crash',
    'a parent goes on within a second and a sweep when the process that ended its last child died',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const executor = world.newExecutor({ storage })
      const gate = createGate()
      const defineAll = (one: DurableExecutor): { id: string } => {
        const leaf = defineGated(one, 'leaf', gate)
        const middle = defineParentOf(one, 'middle', [{ task: leaf, input: 'x' }])
        return defineParentOf(one, 'top', [{ task: middle, input: 'x' }])
      }
      const top = defineAll(executor)
      await executor.start()
      const handle = await executor.enqueueTask<undefined, unknown>(top, undefined)
      await untilTrue(world, () => gate.arrivedIds.length === 1)
      const isMiddleDone = async (): Promise<boolean> =>
        (await world.rows()).some(({ taskId, status }) => taskId === 'middle' && status === 'completed')
      // The leaf's end moves the middle in one transaction; what would tell the top never comes.
      let settledAt: number | undefined
      storage.failWhen((index) => (settledAt !== undefined && index > settledAt ? 'hang' : undefined))
      storage.failAtCommitWhen(({ index, operations }) => {
        if (
          settledAt === undefined &&
          operations.some((name) => name.startsWith('update')) &&
          gate.arrivedIds.length === 1
        ) {
          settledAt = index
        }
        return undefined
      })
      gate.open()
      await untilTrue(world, isMiddleDone)
      world.kill(executor)
      const successor = world.newExecutor()
      defineAll(successor)
      await successor.start()
      const startedAt = world.clock.monotonicNow()
      await untilTrue(
        world,
        async () => (await world.row(handle.getTaskExecutionId())).status === 'completed',
      )
      assert.ok(world.clock.monotonicNow() - startedAt <= 1_000 + 600)
    },
  ),

  engineCase(
    'close.told_to_nobody',
    'a child whose parent is not in the storage is closed all the same',
    async (world) => {
      const handle = await leaveTree(world, { parentId: 'parent', width: 1 })
      const [child] = await childrenOf(world, handle.getTaskExecutionId())
      assert.ok(child)
      const orphan = {
        ...child,
        executionId: 'te_orphan',
        parentTask: { taskId: 'parent', executionId: 'te_gone' },
      }
      await world.storage.withTransaction(async (tx) => {
        await tx.insertTaskExecutions([orphan])
      })
      const executor = world.newExecutor()
      defineEcho(executor, 'child')
      defineParentOf(executor, 'parent', [])
      await executor.start()
      await untilAllClosed(world)
      assert.equal((await world.row('te_orphan')).status, 'completed')
    },
  ),
]
