/** Cases: what an executor logs, which runs it names, and what its options are when they are not given. */

import assert from 'node:assert/strict'

import { type Logger } from '../../../base/logger.ts'
import { type DurableStorage } from '../../../storage/contract.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { assertRefused } from './refusals.ts'
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

  engineCase('logger.hints_are_hints', 'a storage whose hints throw at once fails no enqueue', async (world) => {
    const executor = world.newExecutor({
      storage: withFailingHints(world, () => {
        throw new Error('hint lost')
      }),
    })
    const task = executor.task({ id: 'task', timeoutMs: 1_000, run: () => 'done' })
    await executor.start()
    assert.equal((await world.finish(await executor.enqueueTask(task, undefined))).status, 'completed')
  }),
]

const runningCases: Array<EngineConformanceCase> = [
  engineCase('running.called_and_not_ended', 'running is what was called here and has not ended', async (world) => {
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
  }),

  engineCase('running.cancelled_included', 'a cancelled run counts until its function has ended', async (world) => {
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
  }),

  engineCase('running.snapshot', 'the set that was answered does not change any more', async (world) => {
    const executor = world.newExecutor()
    const task = executor.task({ id: 'task', timeoutMs: 60_000, run: () => 'done' })
    await executor.start()
    const before = executor.getRunningTaskExecutionIds()
    await world.finish(await executor.enqueueTask(task, undefined))
    assert.equal(before.size, 0)
  }),
]

const NOTHING = {
  serializer: null,
  logger: null,
  enableDebug: null,
  expireMs: null,
  backgroundProcessIntraBatchSleepMs: null,
  maxConcurrentTaskExecutions: null,
  maxLosses: null,
  maxPayloadBytes: null,
}

const optionCases: Array<EngineConformanceCase> = [
  engineCase('given.null', 'null and undefined say nothing, in every option', async (world) => {
    const log = { debug: () => {}, info: () => {}, error: () => {} }
    for (const nothing of [null, undefined]) {
      const options = Object.fromEntries(Object.keys(NOTHING).map((name) => [name, nothing]))
      const executor = world.newExecutor({ ...options, logger: log })
      world.newExecutor(options)
      const task = executor.parentTask({
        id: 'task',
        timeoutMs: 1_000,
        retryOptions: nothing,
        sleepMsBeforeRun: nothing,
        maxLosses: nothing,
        runParent: () => ({ output: 1, childrenTasks: nothing }),
        finalizeTask: nothing,
      })
      await executor.start()
      const given = { retryOptions: nothing, sleepMsBeforeRun: nothing, timeoutMs: nothing }
      for (const enqueueOptions of [nothing, given]) {
        const handle = await executor.enqueueTask(task, undefined, enqueueOptions)
        const waiting = [nothing, { signal: nothing, pollingIntervalMs: nothing }].map(
          async (waitOptions) => await handle.waitAndGetTaskFinishedExecution(waitOptions),
        )
        for (const { status } of await world.until(Promise.all(waiting))) {
          assert.equal(status, 'completed')
        }
      }
      await world.until(executor.shutdown(nothing === null ? null : { graceMs: nothing }))
    }
  }),

  engineCase('given.no_finite_number', 'what is no finite number where one is due is refused', async (world) => {
    const names = [
      'expireMs',
      'backgroundProcessIntraBatchSleepMs',
      'maxConcurrentTaskExecutions',
      'maxLosses',
      'maxPayloadBytes',
    ]
    for (const name of names) {
      for (const value of [Number.NaN, Infinity, -Infinity, '5', {}, true]) {
        await assertRefused(() => world.newExecutor({ [name]: value }), new RegExp(`^Invalid ${name}`))
      }
    }
    const executor = world.newExecutor()
    const task = executor.task({ id: 'task', timeoutMs: 1_000, run: () => 'done' })
    const handle = await executor.enqueueTask(task, undefined)
    for (const value of [Number.NaN, Infinity, '5' as never]) {
      await assertRefused(
        () => handle.waitAndGetTaskFinishedExecution({ pollingIntervalMs: value }),
        /^Invalid pollingIntervalMs/,
      )
      await assertRefused(() => executor.shutdown({ graceMs: value }), /^Invalid graceMs/)
    }
  }),

  engineCase('given.interval_too_long', 'a lease or a pause beyond all calendars is refused, and the limit named', async (world) => {
    for (const name of ['expireMs', 'backgroundProcessIntraBatchSleepMs']) {
      await assertRefused(
        () => world.newExecutor({ [name]: 1e300 }),
        new RegExp(`^Invalid ${name}: .*limit: `),
      )
    }
  }),

  ...[
    { name: 'given', expireMs: 7_000, leaseMs: 7_000 },
    { name: 'not given', expireMs: undefined, leaseMs: 30_000 },
    { name: '0', expireMs: 0, leaseMs: 30_000 },
    { name: 'negative', expireMs: -5, leaseMs: 30_000 },
  ].map(({ name, expireMs, leaseMs }) =>
    engineCase('given.lease', `the lease is ${leaseMs} ms when expireMs is ${name}`, async (world) => {
      const executor = world.newExecutor({ expireMs })
      const task = executor.task({
        id: 'task',
        timeoutMs: 60_000,
        run: (ctx) =>
          new Promise<string>((resolve) => {
            ctx.shutdownSignal.onCancelled(() => resolve('stopped'))
          }),
      })
      await executor.start()
      const handle = await executor.enqueueTask(task, undefined)
      await world.clock.advance(50)
      const { startedAt, expiresAt } = await world.row(handle.getTaskExecutionId())
      assert.equal((expiresAt?.getTime() ?? 0) - (startedAt?.getTime() ?? 0), leaseMs)
    }),
  ),

  ...[
    { name: 'given', pollMs: 3_000, notBeforeMs: 2_500, byMs: 3_700 },
    { name: 'not given', pollMs: undefined, notBeforeMs: 0, byMs: 800 },
    { name: '0', pollMs: 0, notBeforeMs: 0, byMs: 800 },
  ].map(({ name, pollMs, notBeforeMs, byMs }) =>
    engineCase('given.poll', `an idle executor looks again in time when the poll interval is ${name}`, async (world) => {
      const client = world.newExecutor()
      const worker = world.newExecutor({
        backgroundProcessIntraBatchSleepMs: pollMs,
        // Without hints there is nothing but the poll.
        storage: { withTransaction: (fn, hint) => world.storage.withTransaction(fn, hint) },
      })
      const options = { id: 'task', timeoutMs: 1_000, run: () => 'done' }
      worker.task(options)
      const task = client.task(options)
      await worker.start()
      await world.clock.settle()
      const handle = await client.enqueueTask(task, undefined)
      await world.clock.advance(notBeforeMs)
      assert.equal((await handle.getTaskExecution()).status, 'ready')
      await world.clock.advance(byMs - notBeforeMs)
      assert.equal((await handle.getTaskExecution()).status, 'completed')
    }),
  ),

  ...[
    { name: 'given', given: 3, slots: 3 },
    { name: 'not given', given: undefined, slots: 100 },
  ].map(({ name, given, slots }) =>
    engineCase('given.slots', `${slots} runs go on at a time when their number is ${name}`, async (world) => {
      const executor = world.newExecutor({ maxConcurrentTaskExecutions: given })
      const end: Array<(output: string) => void> = []
      const task = executor.task({
        id: 'task',
        timeoutMs: 60_000,
        run: () =>
          new Promise<string>((resolve) => {
            end.push(resolve)
          }),
      })
      await executor.start()
      const indices = Array.from({ length: slots + 1 }, (_, index) => index)
      await Promise.all(indices.map(async (index) => await executor.enqueueTask(task, index)))
      await world.clock.advance(700)
      assert.equal(end.length, slots)
      end[0]?.('done')
      await world.clock.advance(50)
      assert.equal(end.length, slots + 1)
      for (const one of end) {
        one('done')
      }
    }),
  ),

  engineCase('given.storage', 'an executor without a storage is refused', async (world) => {
    await assertRefused(() => world.newExecutor({ storage: {} as never }), /^DurableExecutor needs a storage/)
  }),
]

export const OBSERVING_CASES: Array<EngineConformanceCase> = [...loggerCases, ...runningCases, ...optionCases]
