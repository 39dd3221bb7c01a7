/** Cases: what the options of an executor do, and what they are when they are not given. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { assertRefused } from './refusals.ts'

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

export const EXECUTOR_OPTION_CASES: Array<EngineConformanceCase> = [
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

  engineCase(
    'given.no_finite_number',
    'what is no finite number where one is due is refused',
    async (world) => {
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
    },
  ),

  engineCase(
    'given.interval_too_long',
    'a lease or a pause beyond all calendars is refused, and the limit named',
    async (world) => {
      for (const name of ['expireMs', 'backgroundProcessIntraBatchSleepMs']) {
        await assertRefused(
          () => world.newExecutor({ [name]: 1e300 }),
          new RegExp(`^Invalid ${name}: .*limit: `),
        )
      }
    },
  ),

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
    engineCase(
      'given.poll',
      `an idle executor looks again in time when the poll interval is ${name}`,
      async (world) => {
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
      },
    ),
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
