/** Cases: sleeps, pauses and timeouts that no timer of the platform could hold. */

import assert from 'node:assert/strict'

import { LIMITS } from '../../../base/limits.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { assertRefused } from './refusals.ts'

// With a lease and a poll this long, a leap of years has few timers on its way.
const PATIENT = { expireMs: LIMITS.delayMs, backgroundProcessIntraBatchSleepMs: 3_600_000 }

export const LONG_DELAY_CASES: Array<EngineConformanceCase> = [
  ...[
    { rule: 'delay.35_days', days: 35 },
    { rule: 'delay.100_years', days: 36_500 },
  ].flatMap(({ rule, days }) => [
    engineCase(rule, `a sleep of ${days} days is slept, not less and not much more`, async (world) => {
      const executor = world.newExecutor()
      let runs = 0
      const task = executor.task({
        id: 'patient',
        timeoutMs: 1_000,
        sleepMsBeforeRun: days * 86_400_000,
        run: () => (runs += 1),
      })
      await executor.start()
      const handle = await executor.enqueueTask(task, undefined)
      await world.clock.leap(`${days - 1}d`)
      await world.clock.advance(2_000)
      assert.equal(runs, 0)
      await world.clock.leap('1d')
      await world.clock.advance(2_000)
      assert.equal((await handle.getTaskExecution()).status, 'completed')
      assert.equal(runs, 1)
    }),

    engineCase(rule, `a pause of ${days} days before a retry is kept`, async (world) => {
      const executor = world.newExecutor()
      const task = executor.task({
        id: 'patient',
        timeoutMs: 1_000,
        retryOptions: { maxAttempts: 1, baseDelayMs: days * 86_400_000, delayMultiplier: 10 },
        run: (ctx) => {
          if (ctx.attempt === 0) {
            throw new Error('not yet')
          }
          return 'done'
        },
      })
      await executor.start()
      const handle = await executor.enqueueTask(task, undefined)
      await world.clock.advance(1_000)
      await world.clock.leap(`${days - 1}d`)
      await world.clock.advance(2_000)
      assert.equal((await handle.getTaskExecution()).status, 'ready')
      await world.clock.leap('1d')
      await world.clock.advance(2_000)
      assert.equal((await handle.getTaskExecution()).status, 'completed')
    }),

    engineCase(rule, `a timeout of ${days} days does not fire before its time`, async (world) => {
      const executor = world.newExecutor(PATIENT)
      const task = executor.task({
        id: 'long',
        timeoutMs: days * 86_400_000,
        run: (ctx) =>
          new Promise<string>((resolve) => {
            ctx.cancelSignal.onCancelled(() => resolve('told'))
          }),
      })
      await executor.start()
      const handle = await executor.enqueueTask(task, undefined)
      await world.clock.advance(1_000)
      await world.clock.leap(`${days - 1}d`)
      await world.clock.settle()
      assert.equal((await handle.getTaskExecution()).status, 'running')
      await world.clock.leap('1d')
      await world.clock.settle()
      assert.equal((await handle.getTaskExecution()).status, 'timed_out')
    }),
  ]),

  engineCase(
    'delay.limit',
    'a longer delay than a hundred years is refused, and the limit named',
    async (world) => {
      const executor = world.newExecutor()
      await assertRefused(
        () => executor.task({ id: 'X', timeoutMs: 1, sleepMsBeforeRun: LIMITS.delayMs + 1, run: () => 1 }),
        /^Invalid sleep ms before run for task X: .*\(limit: delayMs\)/,
      )
    },
  ),
]
