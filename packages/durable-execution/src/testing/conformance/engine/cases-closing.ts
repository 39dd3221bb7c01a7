/** Cases: how what follows from an end is written, by whom, and how often; executors that know different tasks. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableTaskHandle } from '../../../client/handle.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  childrenOf,
  createGate,
  defineEcho,
  defineFailing,
  defineGated,
  defineParentOf,
  outputOf,
  untilAllClosed,
  untilStatus,
  untilTrue,
} from './trees.ts'
import { type EngineWorld } from './world.ts'

/** A tree of one parent, made by an executor that then dies while its children wait for their time. */
async function leaveTree(
  world: EngineWorld,
  { parentId, width, childId = 'child' }: { parentId: string; width: number; childId?: string },
): Promise<DurableTaskHandle<unknown>> {
  const maker = world.newExecutor()
  const child = defineEcho(maker, childId)
  const children = Array.from({ length: width }, (_, input) => ({ task: child, input, options: { sleepMsBeforeRun: 2_000 } }))
  const parent = defineParentOf(maker, parentId, children)
  await maker.start()
  const handle = await maker.enqueueTask(parent, undefined)
  await untilStatus(world, handle, 'waiting_for_children_tasks')
  await world.until(maker.shutdown())
  return handle
}

/** An executor that knows the children and not the parent runs all of them. */
async function runChildren(world: EngineWorld, childId: string = 'child'): Promise<DurableExecutor> {
  const runner = world.newExecutor()
  defineEcho(runner, childId)
  await runner.start()
  await untilTrue(world, async () => {
    const rows = await world.rows()
    return rows.every((row) => row.taskId !== childId || row.status === 'completed')
  })
  return runner
}

const knownTasksCases: Array<EngineConformanceCase> = [
  engineCase('close.left_to_others', 'a row whose parent’s task is not known here stays open until somebody who knows it comes', async (world) => {
    const handle = await leaveTree(world, { parentId: 'parent', width: 3 })
    await runChildren(world)
    await world.clock.advance(5_000)
    const open = await childrenOf(world, handle.getTaskExecutionId())
    assert.deepEqual(open.map(({ isClosed }) => isClosed), [false, false, false])
    const knowing = world.newExecutor()
    defineParentOf(knowing, 'parent', [])
    await knowing.start()
    outputOf(await world.finish(handle, 2_000))
    assert.ok((await world.rows()).every(({ isClosed }) => isClosed))
  }),

  engineCase('close.left_to_others', 'an executor that knows the parent alone, and one that knows the child alone, finish a tree together', async (world) => {
    const parents = world.newExecutor()
    const children = world.newExecutor()
    const failing = defineFailing(children, 'failing')
    const echo = defineEcho(children, 'echo')
    await Promise.all([parents.start(), children.start()])
    // A parent can only return children that its own executor knows; so those are made by a third.
    for (const { id, task, status } of [
      { id: 'good', task: echo, status: 'completed' },
      { id: 'bad', task: failing, status: 'children_tasks_failed' },
    ] as const) {
      const maker = world.newExecutor()
      maker.task({ id: task.id, timeoutMs: 60_000, run: () => assert.fail('the maker runs no children') })
      const options = { sleepMsBeforeRun: 2_000 }
      defineParentOf(maker, id, [{ task, input: 'x', options }, { task, input: 'y', options }])
      defineParentOf(parents, id, [])
      await maker.start()
      const handle = await maker.enqueueTask<undefined, unknown>({ id }, undefined)
      await untilStatus(world, handle, 'waiting_for_children_tasks')
      await world.until(maker.shutdown())
      const execution = await world.finish(handle, 6_000)
      assert.equal(execution.status, status)
    }
    await untilAllClosed(world)
  }),

  engineCase('close.looks_past', 'a row that can be closed here is found behind five hundred that cannot', async (world) => {
    const maker = world.newExecutor({ maxConcurrentTaskExecutions: 600 })
    const child = defineEcho(maker, 'child')
    const crowd = defineParentOf(maker, 'crowd', Array.from({ length: 500 }, () => ({ task: child, input: 1, options: { sleepMsBeforeRun: 2_000 } })))
    await maker.start()
    const crowdHandle = await maker.enqueueTask(crowd, undefined)
    await untilStatus(world, crowdHandle, 'waiting_for_children_tasks')
    await world.until(maker.shutdown())
    const handle = await leaveTree(world, { parentId: 'parent', width: 1, childId: 'other_child' })
    const runner = world.newExecutor({ maxConcurrentTaskExecutions: 600 })
    defineEcho(runner, 'child')
    await runner.start()
    await untilTrue(world, async () => (await world.rows()).filter(({ status }) => status === 'completed').length === 500)
    await world.until(runner.shutdown())
    await world.until((await runChildren(world, 'other_child')).shutdown())
    const knowing = world.newExecutor()
    defineParentOf(knowing, 'parent', [])
    await knowing.start()
    outputOf(await world.finish(handle, 3_000))
  }),

  engineCase('claim.looks_past', 'a due row of a known task is found behind five hundred of unknown ones', async (world) => {
    const client = world.newExecutor()
    const unknown = defineEcho(client, 'unknown')
    const known = defineEcho(client, 'known')
    await Promise.all(Array.from({ length: 500 }, () => client.enqueueTask(unknown, 1)))
    const handle = await client.enqueueTask(known, 'x')
    const runner = world.newExecutor({ maxConcurrentTaskExecutions: 7 })
    defineEcho(runner, 'known')
    await runner.start()
    assert.equal(outputOf(await world.finish(handle, 2_000)), 'x')
    assert.equal((await world.rows()).filter(({ status }) => status === 'ready').length, 500)
  }),

  engineCase('close.stuck_is_told', 'health tells of a row that nobody closed for a lease’s length, and stops when somebody does', async (world) => {
    const handle = await leaveTree(world, { parentId: 'parent', width: 1 })
    const runner = await runChildren(world)
    await world.clock.advance(25_000)
    assert.deepEqual(runner.health(), { ok: true, problems: [] })
    await world.clock.advance(10_000)
    const { ok, problems } = runner.health()
    assert.equal(ok, false)
    const [child] = await childrenOf(world, handle.getTaskExecutionId())
    assert.deepEqual(problems, [
      `Execution ${child?.executionId} cannot be closed: no executor knows its parent's task parent`,
    ])
    const knowing = world.newExecutor()
    defineParentOf(knowing, 'parent', [])
    await knowing.start()
    await world.finish(handle, 3_000)
    await world.clock.advance(2_000)
    assert.deepEqual(runner.health(), { ok: true, problems: [] })
  }),

  engineCase('close.by_anybody', 'a row whose parent is finished already is closed by an executor that knows neither', async (world) => {
    const handle = await leaveTree(world, { parentId: 'parent', width: 2 })
    const storage = createFaultyStorage(world.storage)
    const client = world.newExecutor({ storage })
    defineParentOf(client, 'parent', [])
    const top = await world.until(client.getTaskHandle({ id: 'parent' }, handle.getTaskExecutionId()))
    // The cancel is committed, and its process dies before it can close anything.
    const cancelAt = storage.transactions()
    storage.failWhen((index) => (index > cancelAt ? 'hang' : undefined))
    void top.cancel().catch(() => {})
    await untilTrue(world, async () => (await world.row(handle.getTaskExecutionId())).status === 'cancelled')
    world.kill(client)
    const stranger = world.newExecutor()
    await stranger.start()
    const rows = await untilAllClosed(world)
    assert.ok(rows.every(({ status }) => status === 'cancelled'))
  }),

  engineCase('close.by_anybody', 'a row without a parent is closed by an executor that does not know its task', async (world) => {
    const storage = createFaultyStorage(world.storage)
    const client = world.newExecutor({ storage })
    const handle = await leaveTree(world, { parentId: 'parent', width: 1 })
    defineParentOf(client, 'parent', [])
    const top = await world.until(client.getTaskHandle({ id: 'parent' }, handle.getTaskExecutionId()))
    const cancelAt = storage.transactions()
    storage.failWhen((index) => (index > cancelAt ? 'hang' : undefined))
    void top.cancel().catch(() => {})
    await untilTrue(world, async () => (await world.row(handle.getTaskExecutionId())).status === 'cancelled')
    world.kill(client)
    assert.equal((await world.row(handle.getTaskExecutionId())).isClosed, false)
    await world.newExecutor().start()
    await untilAllClosed(world)
  }),
]

const onceCases: Array<EngineConformanceCase> = [
  engineCase('close.once', 'a child is counted once, though the reply of every write was lost once', async (world) => {
    const storage = createFaultyStorage(world.storage)
    const executor = world.newExecutor({ storage })
    const child = defineEcho(executor, 'child')
    const parent = defineParentOf(executor, 'parent', [1, 2, 3].map((input) => ({ task: child, input })))
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
  }),

  engineCase('close.once', 'a child that two sweeping executors close at once is counted once', async (world) => {
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
  }),

  engineCase('close.with_the_telling', 'a closing that could not be committed tells the parent nothing, and is done again', async (world) => {
    const handle = await leaveTree(world, { parentId: 'parent', width: 1 })
    await world.until((await runChildren(world)).shutdown())
    const storage = createFaultyStorage(world.storage)
    const knowing = world.newExecutor({ storage })
    defineParentOf(knowing, 'parent', [])
    let failures = 0
    storage.failAtCommitWhen(({ operations }) => {
      const isWrite = operations.filter((name) => /^(?:update|insert)/.test(name)).length > 0
      failures += isWrite ? 1 : 0
      return isWrite && failures <= 3 ? 'lost_in_between' : undefined
    })
    await knowing.start()
    await untilTrue(world, () => failures === 2)
    const row = await world.row(handle.getTaskExecutionId())
    const [child] = await childrenOf(world, handle.getTaskExecutionId())
    assert.deepEqual([row.childrenTasksCompletedCount, child?.isClosed], [0, false])
    outputOf(await world.finish(handle, 20_000))
  }),

  engineCase('close.after_crash', 'a parent goes on within a second and a sweep when the process that ended its last child died', async (world) => {
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
      if (settledAt === undefined && operations.some((name) => name.startsWith('update')) && gate.arrivedIds.length === 1) {
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
    await untilTrue(world, async () => (await world.row(handle.getTaskExecutionId())).status === 'completed')
    assert.ok(world.clock.monotonicNow() - startedAt <= 1_000 + 600)
  }),

  engineCase('close.told_to_nobody', 'a child whose parent is not in the storage is closed all the same', async (world) => {
    const handle = await leaveTree(world, { parentId: 'parent', width: 1 })
    const [child] = await childrenOf(world, handle.getTaskExecutionId())
    assert.ok(child)
    const orphan = { ...child, executionId: 'te_orphan', parentTask: { taskId: 'parent', executionId: 'te_gone' } }
    await world.storage.withTransaction(async (tx) => {
      await tx.insertTaskExecutions([orphan])
    })
    const executor = world.newExecutor()
    defineEcho(executor, 'child')
    defineParentOf(executor, 'parent', [])
    await executor.start()
    await untilAllClosed(world)
    assert.equal((await world.row('te_orphan')).status, 'completed')
  }),
]

/** Who closes what, and how often. */
export const CLOSING_CASES: ReadonlyArray<EngineConformanceCase> = [...knownTasksCases, ...onceCases]
