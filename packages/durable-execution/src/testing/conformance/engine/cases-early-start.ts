/** Cases: what an executor enqueues itself begins with its insert, where a claim would come next anyway. */

import assert from 'node:assert/strict'

import { type DurableTaskHandle } from '../../../client/handle.ts'
import { type ExecutionRow } from '../../../machine/execution.ts'
import { createFaultyStorage, type FaultyStorage, type StorageFault } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { createGate, latest, quickTask, untilTrue, waitingTask } from './lives.ts'

function countsOf(storage: FaultyStorage): Record<'inserts' | 'claims', number> {
  const of = (pattern: RegExp): number =>
    storage.traces().filter(({ operations }) => operations.some((name) => pattern.test(name))).length
  return { inserts: of(/^insert/), claims: of(/^claim/) }
}

export const EARLY_START_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'early.two_transactions',
    'a task that an idle executor enqueues and awaits takes two transactions: its insert and its outcome',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const executor = world.newExecutor({ storage })
      const task = quickTask(executor, 'work', async (_ctx, input) => await Promise.resolve(input))
      await world.until(executor.start())
      // The first one shows what the storage offers.
      await world.finish(await world.until(executor.enqueueTask(task, 'before')))
      await world.clock.settle()
      const isWhole = await world.storage.withTransaction((tx) =>
        Promise.resolve(tx.updateTaskExecutionsBatch !== undefined),
      )
      const before = countsOf(storage)
      const begun = storage.transactions()
      const handle = await executor.enqueueTask(task, 'in')
      const end = await handle.waitAndGetTaskFinishedExecution()
      assert.equal(end.status === 'completed' && end.output, 'in')
      // Where an outcome is written row by row, what was written is read by who waits for it.
      assert.equal(storage.transactions() - begun, isWhole ? 2 : 3)
      assert.equal(countsOf(storage).inserts, before.inserts + 1)
      assert.equal(countsOf(storage).claims, before.claims)
      assert.ok(end.status === 'completed' && end.startedAt >= end.createdAt)
      assert.deepEqual(end, await handle.getTaskExecution(), 'what is told is what is stored')
    },
  ),

  engineCase(
    'early.after_commit',
    'nothing begins before its insert is committed, and a task whose insert fails never does',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const executor = world.newExecutor({ storage })
      const { task, started } = waitingTask(executor, 'work')
      await world.until(executor.start())
      await world.clock.settle()
      storage.failWhen(() => 'lost_request')
      await assert.rejects(world.until(executor.enqueueTask(task, 1)), /connection to the storage broke/)
      storage.failWhen(undefined)
      assert.equal(started.length, 0)
      assert.deepEqual(await world.rows(), [])
      // The slot that was kept for it is free again.
      const handles = await world.until(
        executor.enqueueTasks(
          task,
          Array.from({ length: 100 }, (_, index) => index),
        ),
      )
      await untilTrue(world, () => started.length === 100)
      for (const { gate } of started) {
        gate.open(1)
      }
      await world.until(Promise.all(handles.map((handle) => handle.waitAndGetTaskFinishedExecution())))
    },
  ),

  engineCase(
    'early.unknown_commit',
    'an insert whose reply was lost is looked up: the task runs once, under the lease it was written with',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const executor = world.newExecutor({ storage })
      const { task, started } = waitingTask(executor, 'work')
      await world.until(executor.start())
      await world.clock.settle()
      let faults = 1
      storage.failAtCommitWhen(({ operations }) =>
        operations.includes('insertTaskExecutions') && faults-- > 0 ? 'lost_reply' : undefined,
      )
      const handle = await world.until(executor.enqueueTask(task, 1))
      const row = await world.row(handle.getTaskExecutionId())
      assert.equal(row.status, 'running')
      assert.equal(started.length, 1)
      latest(started).gate.open('done')
      assert.equal((await world.finish(handle)).status, 'completed')
      await world.clock.advance('2m')
      assert.equal(started.length, 1)
    },
  ),

  engineCase(
    'early.later_try',
    'what a second try inserted, whose reply was lost too, is not taken for what the first one claimed',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const executor = world.newExecutor({ storage })
      const rowsAtStart: Array<ExecutionRow> = []
      // It waits for the look, or its outcome might be there before.
      const task = quickTask(executor, 'work', async (ctx) => {
        rowsAtStart.push(await world.row(ctx.executionId))
      })
      await world.until(executor.start())
      await world.clock.settle()
      const faults: Array<StorageFault> = ['lost_in_between', 'lost_reply']
      storage.failAtCommitWhen(({ operations }) =>
        operations.includes('insertTaskExecutions') ? faults.shift() : undefined,
      )
      const handle = await world.until(executor.enqueueTask(task, 1))
      await world.finish(handle)
      assert.equal(rowsAtStart.length, 1)
      assert.equal(rowsAtStart[0]?.status, 'running')
    },
  ),

  engineCase(
    'early.is_recovered',
    'a process that dies with its insert loses nothing: the lease lapses, and another runs the task',
    async (world) => {
      const dying = world.newExecutor()
      const { task } = waitingTask(dying, 'work')
      await world.until(dying.start())
      await world.clock.settle()
      const handle = await world.until(dying.enqueueTask(task, 1))
      world.kill(dying)
      const other = world.newExecutor()
      const same = quickTask(other, 'work', () => 'by another')
      await world.until(other.start())
      const again = await world.until(other.getTaskHandle(same, handle.getTaskExecutionId()))
      const end = await world.finish(again)
      assert.equal(end.status === 'completed' && end.output, 'by another')
    },
  ),

  engineCase(
    'early.passes_nobody',
    'what is due already begins before what is enqueued now, and what is not due yet waits',
    async (world) => {
      const executor = world.newExecutor({ maxConcurrentTaskExecutions: 1 })
      const order: Array<unknown> = []
      const { task, started } = waitingTask(executor, 'held')
      const quick = quickTask(executor, 'work', (_ctx, input) => order.push(input))
      await world.until(executor.start())
      await world.clock.settle()
      const held = await world.until(executor.enqueueTask(task, 0))
      await untilTrue(world, () => started.length === 1)
      const later = await world.until(executor.enqueueTask(quick, 'later', { sleepMsBeforeRun: 5_000 }))
      const first = await world.until(executor.enqueueTask(quick, 'first'))
      latest(started).gate.open(1)
      const second = await world.until(executor.enqueueTask(quick, 'second'))
      for (const handle of [held, first, second, later]) {
        await world.finish(handle)
      }
      assert.deepEqual(order, ['first', 'second', 'later'])
    },
  ),

  engineCase(
    'early.slots',
    'no more begin at once than there are slots, however many are enqueued together',
    async (world) => {
      const executor = world.newExecutor({ maxConcurrentTaskExecutions: 7 })
      let running = 0
      let most = 0
      const task = quickTask(executor, 'work', async () => {
        running += 1
        most = Math.max(most, running)
        await Promise.resolve()
        running -= 1
      })
      await world.until(executor.start())
      await world.clock.settle()
      const calls = [executor.enqueueTasks(task, [1, 2, 3, 4, 5]), executor.enqueueTasks(task, [6, 7, 8, 9])]
      const handles = [
        ...(await world.until(Promise.all(calls))).flat(),
        await executor.enqueueTask(task, 10),
      ]
      await world.until(Promise.all(handles.map((handle) => handle.waitAndGetTaskFinishedExecution())))
      assert.ok(most <= 7, `${most} ran at once`)
    },
  ),

  engineCase(
    'early.slots_of_claimed',
    'what a claim took keeps its slots while it is started in turns, and what is enqueued meanwhile takes none of them',
    async (world) => {
      let computedMs = 0
      let [running, most] = [0, 0]
      const { clock } = world
      const executor = world.newExecutor({
        maxConcurrentTaskExecutions: 4,
        doors: { clock: { ...clock, monotonicNow: () => clock.monotonicNow() + computedMs } },
      })
      const gate = createGate()
      const later: Array<Promise<Array<DurableTaskHandle<unknown>>>> = []
      const task = quickTask(executor, 'work', async () => {
        computedMs += 100
        running += 1
        if (later.length === 0) {
          // In the turn that comes before the next of the claimed ones begins.
          clock.setImmediate(() => later.push(executor.enqueueTasks(task, [4, 5, 6, 7])))
        }
        most = Math.max(most, running)
        await gate.promise
        running -= 1
      })
      const first = await executor.enqueueTasks(task, [1, 2, 3])
      await world.until(executor.start())
      await untilTrue(world, () => running >= 3)
      await clock.settle()
      gate.open()
      for (const handle of [...first, ...(await world.until(Promise.all(later))).flat()]) {
        await world.finish(handle)
      }
      assert.ok(most <= 4, `${most} ran at once`)
    },
  ),
]
