/** Cases: executors on one storage that know different tasks. */

import assert from 'node:assert/strict'

import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { leaveTree, runChildren } from './left-trees.ts'
import {
  childrenOf,
  defineEcho,
  defineFailing,
  defineParentOf,
  outputOf,
  untilAllClosed,
  untilStatus,
  untilTrue,
} from './trees.ts'

/** Executors that know different tasks. */
export const KNOWN_TASKS_CASES: ReadonlyArray<EngineConformanceCase> = [
  engineCase(
    'close.left_to_others',
    'a row whose parent’s task is not known here stays open until somebody who knows it comes',
    async (world) => {
      const handle = await leaveTree(world, { parentId: 'parent', width: 3 })
      await runChildren(world)
      await world.clock.advance(5_000)
      const open = await childrenOf(world, handle.getTaskExecutionId())
      assert.deepEqual(
        open.map(({ isClosed }) => isClosed),
        [false, false, false],
      )
      const knowing = world.newExecutor()
      defineParentOf(knowing, 'parent', [])
      await knowing.start()
      outputOf(await world.finish(handle, 2_000))
      assert.ok((await world.rows()).every(({ isClosed }) => isClosed))
    },
  ),

  engineCase(
    'close.left_to_others',
    'an executor that knows the parent alone, and one that knows the child alone, finish a tree together',
    async (world) => {
      const children = world.newExecutor()
      const failing = defineFailing(children, 'failing')
      const echo = defineEcho(children, 'echo')
      await children.start()
      // A parent can only return children that its own executor knows; so those are made by a third.
      for (const { id, task, status } of [
        { id: 'good', task: echo, status: 'completed' },
        { id: 'bad', task: failing, status: 'children_tasks_failed' },
      ] as const) {
        const maker = world.newExecutor()
        maker.task({ id: task.id, timeoutMs: 60_000, run: () => assert.fail('the maker runs no children') })
        const options = { sleepMsBeforeRun: 2_000 }
        defineParentOf(maker, id, [
          { task, input: 'x', options },
          { task, input: 'y', options },
        ])
        await maker.start()
        const handle = await maker.enqueueTask<undefined, unknown>({ id }, undefined)
        await untilStatus(world, handle, 'waiting_for_children_tasks')
        await world.until(maker.shutdown())
        // Only now, or it might run the parent itself, and return no children.
        const parents = world.newExecutor()
        defineParentOf(parents, id, [])
        await parents.start()
        const execution = await world.finish(handle, 6_000)
        assert.equal(execution.status, status)
      }
      await untilAllClosed(world)
    },
  ),

  engineCase(
    'close.looks_past',
    'a row that can be closed here is found behind five hundred that cannot',
    async (world) => {
      const maker = world.newExecutor({ maxConcurrentTaskExecutions: 600 })
      const child = defineEcho(maker, 'child')
      const crowd = defineParentOf(
        maker,
        'crowd',
        Array.from({ length: 500 }, () => ({ task: child, input: 1, options: { sleepMsBeforeRun: 2_000 } })),
      )
      await maker.start()
      const crowdHandle = await maker.enqueueTask(crowd, undefined)
      await untilStatus(world, crowdHandle, 'waiting_for_children_tasks')
      await world.until(maker.shutdown())
      const handle = await leaveTree(world, { parentId: 'parent', width: 1, childId: 'other_child' })
      const runner = world.newExecutor({ maxConcurrentTaskExecutions: 600 })
      defineEcho(runner, 'child')
      await runner.start()
      await untilTrue(
        world,
        async () => (await world.rows()).filter(({ status }) => status === 'completed').length === 500,
      )
      await world.until(runner.shutdown())
      await world.until((await runChildren(world, 'other_child')).shutdown())
      const knowing = world.newExecutor()
      defineParentOf(knowing, 'parent', [])
      await knowing.start()
      outputOf(await world.finish(handle, 3_000))
    },
  ),

  engineCase(
    'claim.looks_past',
    'a due row of a known task is found behind five hundred of unknown ones',
    async (world) => {
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
    },
  ),

  engineCase(
    'close.stuck_is_told',
    'health tells of a row that nobody closed for a lease’s length, and stops when somebody does',
    async (world) => {
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
    },
  ),

  engineCase(
    'close.by_anybody',
    'a row whose parent is finished already is closed by an executor that knows neither',
    async (world) => {
      const handle = await leaveTree(world, { parentId: 'parent', width: 2 })
      const storage = createFaultyStorage(world.storage)
      const client = world.newExecutor({ storage })
      defineParentOf(client, 'parent', [])
      const top = await world.until(client.getTaskHandle({ id: 'parent' }, handle.getTaskExecutionId()))
      // The cancel is committed, and its process dies before it can close anything.
      const cancelAt = storage.transactions()
      storage.failWhen((index) => (index > cancelAt ? 'hang' : undefined))
      void top.cancel().catch(() => {})
      await untilTrue(
        world,
        async () => (await world.row(handle.getTaskExecutionId())).status === 'cancelled',
      )
      world.kill(client)
      const stranger = world.newExecutor()
      await stranger.start()
      const rows = await untilAllClosed(world)
      assert.ok(rows.every(({ status }) => status === 'cancelled'))
    },
  ),

  engineCase(
    'close.by_anybody',
    'a row without a parent is closed by an executor that does not know its task',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const client = world.newExecutor({ storage })
      const handle = await leaveTree(world, { parentId: 'parent', width: 1 })
      defineParentOf(client, 'parent', [])
      const top = await world.until(client.getTaskHandle({ id: 'parent' }, handle.getTaskExecutionId()))
      const cancelAt = storage.transactions()
      storage.failWhen((index) => (index > cancelAt ? 'hang' : undefined))
      void top.cancel().catch(() => {})
      await untilTrue(
        world,
        async () => (await world.row(handle.getTaskExecutionId())).status === 'cancelled',
      )
      world.kill(client)
      assert.equal((await world.row(handle.getTaskExecutionId())).isClosed, false)
      await world.newExecutor().start()
      await untilAllClosed(world)
    },
  ),
]
