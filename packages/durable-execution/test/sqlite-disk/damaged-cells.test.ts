/** A row in which one value is damaged: the execution ends with an error that names it, or is left alone; all others are done. */

import assert from 'node:assert/strict'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { type DurableTaskHandle } from '../../src/index.ts'
import { createSqliteStorage } from '../../src/storage/sqlite/index.ts'
import { untilRow } from '../../src/testing/conformance/engine/lives.ts'
import { type EngineWorld, runInWorld } from '../../src/testing/conformance/engine/world.ts'
import { type Handle, LIBRARIES, type Library, newFolder, openHandle } from './files.ts'
import { defineWork, enqueue, expectedOutput, type Order, type Work } from './work.ts'

const ORDERS: ReadonlyArray<Order> = Array.from({ length: 5 }, (_, mark) => ({
  task: 'plain',
  given: { mark, ballast: '', outputLength: 10 },
}))
const DAMAGED = 1

// A number that SQLite has and JavaScript does not.
const HUGE = String(2n ** 60n)
const BYTES = `x'00ff'`

describe.each(LIBRARIES)('with %s', (library) => {
  test.each([
    ['retry_options', `'{"maxAttempts":2'`, 'the retryOptions of its row is damaged'],
    ['retry_options', `'{"maxAttemqts":2}'`, 'the retryOptions of its row is damaged'],
    ['retry_options', BYTES, 'the retryOptions of its row is damaged'],
    ['retry_attempts', `'two'`, 'the retryAttempts of its row is damaged'],
    ['timeout_ms', '-5', 'the timeoutMs of its row is damaged'],
    ['timeout_ms', `'long'`, 'the timeoutMs of its row is damaged'],
    ['run_input', BYTES, 'the runInput of its row is damaged'],
    ['run_input', `'{"mark":'`, 'Error deserializing value'],
  ])('%s that is %s fails that execution, and no other', async (column, value, message) => {
    await playDamaged(library, column, value, async (world, handle) => {
      // Looked at in the storage: a handle could not read the input either.
      const { error } = await untilRow(
        world,
        handle.getTaskExecutionId(),
        ({ status }) => status === 'failed',
      )
      assert.ok(error?.message.includes(message), error?.message)
      assert.equal(error?.isRetryable, false)
    })
  })

  test.each([
    ['error', `'{"message'`],
    ['finalize_task', `'{'`],
    ['finalize_task_error', BYTES],
    ['children_tasks_errors', `'[{'`],
    ['root_task_id', `'tree'`],
    ['parent_task_id', `'tree'`],
    ['is_closed', HUGE],
    ['losses', HUGE],
    ['depth', HUGE],
    ['created_at', HUGE],
    ['created_at', `'yesterday'`],
  ])('%s that is %s stands in nobody’s way', async (column, value) => {
    await playDamaged(library, column, value, async (world, handle, order) => {
      const end = await world.finish(handle)
      assert.equal(end.status === 'completed' && end.output, expectedOutput(order))
    })
  })

  test('a status that nobody wrote is left alone, and whoever asks for it is told', async () => {
    await playDamaged(library, 'status', `'reaby'`, async (world, handle) => {
      const id = handle.getTaskExecutionId()
      const told = {
        message: `Execution ${id} has the unknown status reaby: its row is damaged`,
        isRetryable: false,
      }
      await assert.rejects(world.until(handle.waitAndGetTaskFinishedExecution()), told)
      await assert.rejects(world.until(handle.cancel()), told)
      await assert.rejects(world.until(handle.getTaskExecution()), {
        message: 'Unknown execution status: reaby',
      })
    })
  })

  test('an input that is no text is told to whoever asks for the execution', async () => {
    await playDamaged(library, 'run_input', BYTES, async (world, handle) => {
      await assert.rejects(world.until(handle.waitAndGetTaskFinishedExecution()), {
        message: `Execution ${handle.getTaskExecutionId()} is failed but has no runInput: its row is damaged`,
      })
    })
  })

  test.each([HUGE, `'tomorrow'`, BYTES])(
    'a start at %s comes never, and is waited for in peace',
    async (value) => {
      await playDamaged(library, 'start_at', value, async (world, handle) => {
        await world.clock.advance('1m')
        assert.equal((await world.until(handle.getTaskExecution())).status, 'ready')
      })
    },
  )

  test('a start before all calendars is now', async () => {
    await playDamaged(library, 'start_at', `-${HUGE}`, async (world, handle, order) => {
      const end = await world.finish(handle)
      assert.equal(end.status === 'completed' && end.output, expectedOutput(order))
    })
  })

  test('a list of children that is damaged fails its parent, and no other', async () => {
    const damaged = await playTrees(library, `'[{"taskId":"plain","executi'`)
    expect(damaged).toMatch(
      /^Outcome could not be stored: Execution te_\w+ waits for its children, but the list of them/,
    )
    expect(await playTrees(library, `'[{"taskId":"plain"},{"taskId":"plain"},{"taskId":"plain"}]'`)).toBe(
      damaged,
    )
  })
})

type Check = (world: EngineWorld, handle: DurableTaskHandle<string | number>, order: Order) => Promise<void>

/** Enqueues, damages one row, and lets an executor work: the others are completed, and the check sees to that one. */
async function playDamaged(library: Library, column: string, value: string, check: Check): Promise<void> {
  await inDatabase(library, async (world, database) => {
    const client = world.newExecutor()
    const handles = await enqueueAll(client, defineWork(client))
    const id = handles[DAMAGED]?.getTaskExecutionId() ?? ''
    database.exec(`update durable_execution_executions set ${column} = ${value} where execution_id = '${id}'`)
    const executor = world.newExecutor()
    defineWork(executor)
    await world.until(executor.start())
    for (const [index, handle] of handles.entries()) {
      const order = ORDERS[index]
      assert.ok(order)
      if (index === DAMAGED) {
        await check(world, handle, order)
      } else {
        const end = await world.finish(handle, 10_000)
        assert.equal(end.status === 'completed' && end.output, expectedOutput(order))
      }
    }
    assert.deepEqual(executor.health(), { ok: true, problems: [] })
  })
}

async function enqueueAll(
  client: ReturnType<EngineWorld['newExecutor']>,
  work: Work,
): Promise<Array<DurableTaskHandle<string | number>>> {
  const handles: Array<DurableTaskHandle<string | number>> = []
  for (const order of ORDERS) {
    handles.push(await enqueue(client, work, order))
  }
  return handles
}

/** Two trees whose children are still to run, and the list of one of them damaged; gives why that one failed. */
async function playTrees(library: Library, list: string): Promise<string> {
  let reason = ''
  await inDatabase(library, async (world, database) => {
    const order: Order = { task: 'tree', given: { mark: 1, ballast: '', outputLength: 10 } }
    const maker = world.newExecutor({ maxConcurrentTaskExecutions: 2 })
    const work = defineWork(maker)
    await world.until(maker.start())
    const handles = [await enqueue(maker, work, order), await enqueue(maker, work, order)]
    await world.until(maker.shutdown())
    const [damaged, whole] = handles
    assert.ok(damaged && whole)
    database.exec(`update durable_execution_children set children_tasks = ${list} where seq =
      (select seq from durable_execution_executions where execution_id = '${damaged.getTaskExecutionId()}')`)
    const executor = world.newExecutor()
    defineWork(executor)
    await world.until(executor.start())
    const end = await world.finish(whole)
    assert.equal(end.status === 'completed' && end.output, expectedOutput(order))
    const row = await untilRow(
      world,
      damaged.getTaskExecutionId(),
      ({ status }) => status === 'children_tasks_failed',
    )
    reason = row.childrenTasksErrors?.[0]?.error.message ?? ''
  })
  return reason.replaceAll(/te_\w+/g, 'te_x')
}

async function inDatabase(
  library: Library,
  run: (world: EngineWorld, database: Handle) => Promise<void>,
): Promise<void> {
  const database = openHandle(library, join(newFolder(), 'tasks.db'))
  const storage = createSqliteStorage({ database })
  await storage.migrate()
  // The rows are no longer what an engine would write.
  await runInWorld(
    () => Promise.resolve(storage),
    (world) => run(world, database),
    { isChecked: false },
  )
}
