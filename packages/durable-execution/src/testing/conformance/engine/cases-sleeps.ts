/** Cases: executions that sleep, and what an execution is that waits. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { type Run, HOUR, started, suspended } from './durable-lives.ts'

export const SLEEP_RULES: Record<string, string> = {
  'sleep.lasts':
    'A sleep is over when its time is, counted from the first time that the code came to it, whatever happens meanwhile.',
  'sleep.short': 'A sleep of a second or less is waited for by the run itself.',
  'sleep.refused': 'What is no time to sleep is refused.',
  'suspended.costs_nothing': 'An execution that waits holds no slot, no lease and no memory.',
  'suspended.unseen':
    'A run that is left sees nothing of it: no catch and no finally of the user’s code runs.',
  'suspended.shown': 'A view says what a suspended execution waits for.',
  'suspended.keeps_attempt':
    'Waiting is no attempt and no loss, and the timeout counts each stretch between two waits.',
}

export const SLEEP_CASES: Array<EngineConformanceCase> = [
  engineCase('sleep.lasts', 'a sleep of a hundred days survives two processes', async (world) => {
    const run: Run = async (ctx) => {
      const at = await ctx.step('before', () => world.clock.now())
      await ctx.sleep('long', 100 * 24 * HOUR)
      return world.clock.now() - at
    }
    const first = await started(world, run)
    const handle = await first.executor.enqueueTask(first.flow, undefined)
    await suspended(world, handle.getTaskExecutionId())
    await world.until(first.executor.shutdown())
    await world.clock.leap('50d')
    const second = await started(world, run)
    await world.until(second.executor.shutdown())
    await world.clock.leap('50d')
    const third = await started(world, run)
    const end = await world.finish(
      await third.executor.getTaskHandle(third.flow, handle.getTaskExecutionId()),
    )
    const slept = end.status === 'completed' ? (end.output as number) : NaN
    assert.ok(slept >= 100 * 24 * HOUR && slept < 100 * 24 * HOUR + 120_000, String(slept))
  }),

  engineCase('sleep.lasts', 'a sleep until a moment that has passed is over at once', async (world) => {
    const { executor, flow } = await started(world, async (ctx) => {
      const at = world.clock.now()
      await ctx.sleep('zero', 0)
      await ctx.sleep('negative', -5)
      await ctx.sleep('past', new Date(0))
      return world.clock.now() - at
    })
    const end = await world.finish(await executor.enqueueTask(flow, undefined))
    assert.equal(end.status === 'completed' && end.output, 0)
  }),

  engineCase('sleep.short', 'a short sleep does not end the run', async (world) => {
    let runs = 0
    const { executor, flow } = await started(world, async (ctx) => {
      runs += 1
      await ctx.sleep('short', 1_000)
      await ctx.sleep('short', 900)
      return runs
    })
    const before = world.clock.now()
    const end = await world.finish(await executor.enqueueTask(flow, undefined))
    assert.equal(end.status === 'completed' && end.output, 1)
    assert.ok(world.clock.now() - before >= 1_900)
  }),

  engineCase('sleep.short', 'a short sleep before a long one is not slept again', async (world) => {
    const { executor, flow } = await started(world, async (ctx) => {
      const at = world.clock.now()
      await ctx.sleep('short', 1_000)
      const took = world.clock.now() - at
      await ctx.sleep('long', 5_000)
      return took
    })
    const end = await world.finish(await executor.enqueueTask(flow, undefined))
    assert.equal(end.status === 'completed' && end.output, 0)
  }),

  engineCase('sleep.refused', 'what is no time is refused', async (world) => {
    const { executor, flow } = await started(world, async (ctx) => {
      const messages: Array<string> = []
      for (const time of [NaN, Infinity, '5', null, new Date(NaN), 1e15, {}]) {
        await ctx
          .sleep('odd', time as never)
          .catch((error: unknown) => messages.push((error as Error).message))
      }
      return messages
    })
    const end = await world.finish(await executor.enqueueTask(flow, undefined))
    const messages = end.status === 'completed' ? (end.output as Array<string>) : []
    assert.equal(messages.length, 7)
    for (const message of messages) {
      assert.match(message, /^Invalid time for sleep odd: must be a number of milliseconds or a Date/)
    }
  }),

  engineCase(
    'suspended.costs_nothing',
    'ten executions that sleep leave the only slot to others',
    async (world) => {
      const { executor, flow } = await started(
        world,
        async (ctx) => {
          await ctx.sleep('long', 20_000)
          return 'awake'
        },
        { maxConcurrentTaskExecutions: 1 },
      )
      const other = executor.task({ id: 'other', timeoutMs: HOUR, run: () => 'between' })
      const handles = await executor.enqueueTasks(flow, [...Array(10).keys()])
      for (const handle of handles) {
        await suspended(world, handle.getTaskExecutionId())
      }
      assert.equal(executor.getRunningTaskExecutionIds().size, 0)
      assert.equal(
        (await world.finish(await executor.enqueueTask(other, undefined), 2_000)).status,
        'completed',
      )
      for (const row of (await world.rows()).filter(({ status }) => status === 'ready')) {
        assert.equal(row.expiresAt, undefined)
      }
      for (const handle of handles) {
        assert.equal((await world.finish(handle)).status, 'completed')
      }
    },
  ),

  engineCase('suspended.unseen', 'neither catch nor finally runs in a run that is left', async (world) => {
    const seen: Array<string> = []
    const { executor, flow } = await started(world, async (ctx) => {
      try {
        await ctx.sleep('long', 5_000)
        seen.push('after')
      } catch {
        seen.push('catch')
      } finally {
        seen.push('finally')
      }
    })
    const handle = await executor.enqueueTask(flow, undefined)
    await suspended(world, handle.getTaskExecutionId())
    assert.deepEqual(seen, [])
    await world.finish(handle)
    assert.deepEqual(seen, ['after', 'finally'])
  }),

  engineCase('suspended.shown', 'its view names what it waits for, and until when', async (world) => {
    const { executor, flow } = await started(world, async (ctx) => {
      await Promise.all([
        ctx.sleep('nap', 60_000),
        ctx.waitForSignal('go'),
        ctx.waitForSignal('hurry', { timeoutMs: 30_000 }),
      ])
    })
    const handle = await executor.enqueueTask(flow, undefined)
    await suspended(world, handle.getTaskExecutionId())
    const view = await handle.getTaskExecution()
    assert.equal(view.status, 'ready')
    const row = await world.row(handle.getTaskExecutionId())
    // A storage that does not keep it cannot show it.
    if (row.suspendedFor !== undefined && view.status === 'ready') {
      assert.deepEqual(
        view.suspendedFor?.map(({ kind, name, until }) => [kind, name, until !== undefined]),
        [
          ['sleep', 'nap', true],
          ['signal', 'go', false],
          ['signal', 'hurry', true],
        ],
      )
    }
    assert.equal(await world.until(handle.cancel()), true)
  }),

  engineCase(
    'suspended.keeps_attempt',
    'a wait counts no attempt, and no time of the timeout',
    async (world) => {
      const executor = world.newExecutor()
      const flow = executor.task({
        id: 'flow',
        timeoutMs: 2_000,
        run: async (ctx) => {
          const attempts: Array<number> = [ctx.attempt]
          for (const name of ['a', 'b', 'c']) {
            await ctx.sleep(name, 1_500)
            attempts.push(ctx.attempt)
          }
          return attempts
        },
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(flow, undefined))
      assert.deepEqual(end.status === 'completed' && end.output, [0, 0, 0, 0])
      assert.equal((await world.row(end.executionId)).losses ?? 0, 0)
    },
  ),

  engineCase('sleep.lasts', 'another attempt does not sleep again, however short that was', async (world) => {
    const executor = world.newExecutor()
    const slept: Array<number> = []
    const flow = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      retryOptions: { maxAttempts: 1 },
      run: async (ctx) => {
        const before = world.clock.now()
        await ctx.sleep('short', 900)
        slept.push(world.clock.now() - before)
        if (ctx.attempt === 0) {
          throw new Error('again')
        }
      },
    })
    await world.until(executor.start())
    assert.equal((await world.finish(await executor.enqueueTask(flow, undefined))).status, 'completed')
    assert.equal(slept.length, 2)
    assert.ok((slept[0] ?? 0) >= 900)
    assert.equal(slept[1], 0)
  }),
]
