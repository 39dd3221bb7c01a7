/** Cases: what is on purpose otherwise than programs of the engine before may remember it. */

import assert from 'node:assert/strict'

import { createInMemoryStorage } from '../../../storage/memory/in-memory-storage.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { assertRefused } from './refusals.ts'

const stuck = (): Promise<string> => new Promise(() => {})

export const DIFFERENCE_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'difference.start_resolves',
    'start resolves at once, and a second start changes nothing',
    async (world) => {
      const executor = world.newExecutor()
      let runs = 0
      const task = executor.task({ id: 'task', timeoutMs: 1_000, run: () => (runs += 1) })
      await executor.start()
      await executor.start()
      await world.finish(await executor.enqueueTask(task, undefined))
      assert.equal(runs, 1)
    },
  ),

  engineCase(
    'difference.lease_not_timeout',
    'a long timeout does not make a crash dearer: it costs the lease',
    async (world) => {
      const dying = world.newExecutor({ expireMs: 5_000 })
      const options = { id: 'task', timeoutMs: 3_600_000 }
      const handle = await dying.enqueueTask(dying.task({ ...options, run: stuck }), undefined)
      await dying.start()
      await world.clock.advance(100)
      assert.equal((await handle.getTaskExecution()).status, 'running')
      world.kill(dying)
      const heir = world.newExecutor({ expireMs: 5_000 })
      const task = heir.task({ ...options, run: () => 'saved' })
      await heir.start()
      const saved = await heir.getTaskHandle(task, handle.getTaskExecutionId())
      const finished = await world.finish(saved, 6_100)
      assert.equal(finished.status === 'completed' && finished.output, 'saved')
    },
  ),

  engineCase(
    'difference.damaged_save',
    'a damaged save is an error, and the store stays as it was',
    async () => {
      const storage = createInMemoryStorage()
      for (const text of ['{', '[]x', '{"rows":', 'null']) {
        await assert.rejects(async () => await storage.load(async () => await Promise.resolve(text)), text)
      }
    },
  ),

  engineCase('difference.enqueue_options', 'enqueue options are checked', async (world) => {
    const executor = world.newExecutor()
    const task = executor.task({ id: 'X', timeoutMs: 1_000, run: () => 'done' })
    await assertRefused(
      () => executor.enqueueTask(task, undefined, { timeoutMs: -1 }),
      /^Invalid timeout value/,
    )
    await assertRefused(
      () => executor.enqueueTask(task, undefined, 5 as never),
      /^Invalid options for task X/,
    )
  }),

  engineCase('difference.serializer', 'a value that JSON keeps is stored as plain JSON', async (world) => {
    const executor = world.newExecutor()
    const task = executor.task({ id: 'task', timeoutMs: 1_000, run: () => 'done' })
    const handle = await executor.enqueueTask(task, { a: [1, 'b', null] })
    assert.equal((await world.row(handle.getTaskExecutionId())).runInput, '{"a":[1,"b",null]}')
  }),

  engineCase('difference.cancel_answers', 'cancel says whether this call cancelled it', async (world) => {
    const executor = world.newExecutor()
    const task = executor.task({ id: 'task', timeoutMs: 1_000, run: () => 'done' })
    const handle = await executor.enqueueTask(task, undefined)
    assert.equal(await world.until(handle.cancel()), true)
    assert.equal(await world.until(handle.cancel()), false)
  }),

  engineCase(
    'difference.waits_at_once',
    'a wait returns with the first error of the children, and later ones are added',
    async (world) => {
      const executor = world.newExecutor()
      const breaking = executor.task({
        id: 'breaking',
        timeoutMs: 1_000,
        run: (_ctx, message: string) => {
          throw new Error(message)
        },
      })
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 1_000,
        runParent: () => ({
          output: null,
          childrenTasks: ['a', 'b'].map((input) => ({ task: breaking, input })),
        }),
      })
      await executor.start()
      const handle = await executor.enqueueTask(parent, undefined)
      const first = await world.finish(handle)
      assert.ok(first.status === 'children_tasks_failed' && first.childrenTasksErrors.length > 0)
      await world.clock.advance(2_000)
      const later = await handle.getTaskExecution()
      assert.ok(later.status === 'children_tasks_failed')
      assert.ok(later.childrenTasksErrors.length >= first.childrenTasksErrors.length)
      assert.deepEqual(later.finishedAt, first.finishedAt)
    },
  ),

  engineCase(
    'difference.expires_while_running',
    'a row has expiresAt exactly while it runs',
    async (world) => {
      const executor = world.newExecutor()
      let end: (output: string) => void = () => {}
      const task = executor.task({
        id: 'task',
        timeoutMs: 60_000,
        run: () =>
          new Promise<string>((resolve) => {
            end = resolve
          }),
      })
      const handle = await executor.enqueueTask(task, undefined)
      const hasExpiry = async (): Promise<boolean> =>
        (await world.row(handle.getTaskExecutionId())).expiresAt !== undefined
      assert.equal(await hasExpiry(), false)
      await executor.start()
      await world.clock.advance(100)
      assert.equal(await hasExpiry(), true)
      end('done')
      await world.finish(handle)
      assert.equal(await hasExpiry(), false)
    },
  ),

  engineCase('difference.losses_counted', 'losses are counted apart from retries', async (world) => {
    const dying = world.newExecutor({ expireMs: 2_000 })
    const options = { id: 'task', timeoutMs: 60_000, retryOptions: { maxAttempts: 3 } }
    const handle = await dying.enqueueTask(dying.task({ ...options, run: stuck }), undefined)
    await dying.start()
    await world.clock.advance(100)
    world.kill(dying)
    const heir = world.newExecutor({ expireMs: 2_000 })
    const task = heir.task({ ...options, id: 'other', run: () => 'done' })
    await heir.start()
    await world.finish(await heir.enqueueTask(task, undefined))
    await world.clock.advance(4_000)
    const row = await world.row(handle.getTaskExecutionId())
    assert.equal(row.status, 'ready')
    assert.equal(row.losses, 1)
    assert.equal(row.retryAttempts, 0)
    assert.deepEqual(row.error, { errorType: 'generic', message: 'Task expired', isRetryable: false })
  }),

  engineCase(
    'difference.handle_of_other_task',
    'a handle of an execution of another task is refused',
    async (world) => {
      const executor = world.newExecutor()
      const own = executor.task({ id: 'own', timeoutMs: 1_000, run: () => 'done' })
      const other = executor.task({ id: 'other', timeoutMs: 1_000, run: () => 'done' })
      const handle = await executor.enqueueTask(own, undefined)
      const id = handle.getTaskExecutionId()
      await assertRefused(
        () => executor.getTaskHandle(other, id),
        `Execution ${id} is of task own, not other`,
      )
      const again = await executor.getTaskHandle(own, id)
      assert.deepEqual([again.getTaskId(), again.getTaskExecutionId()], ['own', id])
      await assertRefused(() => executor.getTaskHandle(own, 'te_missing'), 'Execution te_missing not found')
    },
  ),
]
