/** Cases: what an executor logs, and which runs it names. */

import assert from 'node:assert/strict'

import { type Logger } from '../../../base/logger.ts'
import { type DurableStorage } from '../../../storage/contract.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { type EngineWorld } from './world.ts'

/** The world's storage, with hints that fail: of that the engine has something to say, for debugging. */
function withFailingHints(world: EngineWorld, fail: () => Promise<void>): DurableStorage {
  return { withTransaction: (fn, hint) => world.storage.withTransaction(fn, hint), notifyChange: fail }
}

const rejecting = (): Promise<void> => Promise.reject(new Error('hint lost'))

const loggerCases: Array<EngineConformanceCase> = [
  ...[true, false, undefined, null].map((enableDebug) =>
    engineCase(
      'logger.debug_on_demand',
      `debug lines are ${enableDebug === true ? '' : 'not '}written with enableDebug ${String(enableDebug)}`,
      async (world) => {
        const executor = world.newExecutor({
          enableDebug,
          storage: withFailingHints(world, rejecting),
        })
        const task = executor.task({ id: 'task', timeoutMs: 1_000, run: () => 'done' })
        await executor.enqueueTask(task, undefined)
        await world.clock.settle()
        assert.equal(world.logs.filter(({ level }) => level === 'debug').length > 0, enableDebug === true)
      },
    ),
  ),

  engineCase('logger.throwing', 'a logger that throws disturbs nothing', async (world) => {
    const fail = (): never => {
      throw new Error('no room for logs')
    }
    const logger: Logger = { debug: fail, info: fail, error: fail }
    const executor = world.newExecutor({
      logger,
      enableDebug: true,
      storage: withFailingHints(world, rejecting),
    })
    const task = executor.task({
      id: 'task',
      timeoutMs: 1_000,
      retryOptions: { maxAttempts: 1 },
      run: (ctx) => {
        if (ctx.attempt === 0) {
          throw new Error('no')
        }
        return 'done'
      },
    })
    await executor.start()
    assert.equal((await world.finish(await executor.enqueueTask(task, undefined))).status, 'completed')
  }),

  engineCase(
    'logger.hints_are_hints',
    'a storage whose hints throw at once fails no enqueue',
    async (world) => {
      const executor = world.newExecutor({
        storage: withFailingHints(world, () => {
          throw new Error('hint lost')
        }),
      })
      const task = executor.task({ id: 'task', timeoutMs: 1_000, run: () => 'done' })
      await executor.start()
      assert.equal((await world.finish(await executor.enqueueTask(task, undefined))).status, 'completed')
    },
  ),
]

const runningCases: Array<EngineConformanceCase> = [
  engineCase(
    'running.called_and_not_ended',
    'running is what was called here and has not ended',
    async (world) => {
      const executor = world.newExecutor()
      const other = world.newExecutor()
      let end: (output: string) => void = () => {}
      const task = executor.task({
        id: 'task',
        timeoutMs: 60_000,
        run: () =>
          new Promise<string>((resolve) => {
            end = resolve
          }),
      })
      await Promise.all([executor.start(), other.start()])
      const handle = await executor.enqueueTask(task, undefined)
      assert.deepEqual([...executor.getRunningTaskExecutionIds()], [])
      await world.clock.advance(100)
      assert.deepEqual([...executor.getRunningTaskExecutionIds()], [handle.getTaskExecutionId()])
      assert.deepEqual([...other.getRunningTaskExecutionIds()], [])
      end('done')
      await world.finish(handle)
      assert.deepEqual([...executor.getRunningTaskExecutionIds()], [])
    },
  ),

  engineCase(
    'running.cancelled_included',
    'a cancelled run counts until its function has ended',
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
      await executor.start()
      const handle = await executor.enqueueTask(task, undefined)
      await world.clock.advance(100)
      assert.equal(await world.until(handle.cancel()), true)
      assert.deepEqual([...executor.getRunningTaskExecutionIds()], [handle.getTaskExecutionId()])
      end('late')
      await world.clock.settle()
      assert.deepEqual([...executor.getRunningTaskExecutionIds()], [])
    },
  ),

  engineCase('running.snapshot', 'the set that was answered does not change any more', async (world) => {
    const executor = world.newExecutor()
    const task = executor.task({ id: 'task', timeoutMs: 60_000, run: () => 'done' })
    await executor.start()
    const before = executor.getRunningTaskExecutionIds()
    await world.finish(await executor.enqueueTask(task, undefined))
    assert.equal(before.size, 0)
  }),
]

export const OBSERVING_CASES: Array<EngineConformanceCase> = [...loggerCases, ...runningCases]
