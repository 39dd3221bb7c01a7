/** Cases: calls that nobody waits for, or not yet. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR, started, suspended } from './durable-lives.ts'
import { createGate, untilTrue } from './lives.ts'

export const STRAY_CALL_RULES: Record<string, string> = {
  'call.handled_later':
    'A call may fail long before the code comes to it, or in an earlier process: that ends no process.',
  'call.leaves_room':
    'Code that makes calls again and again, whatever they reject with, leaves room for others.',
  'call.not_awaited': 'A run that returns while calls are at work is told of in the log.',
}

export const STRAY_CALL_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'call.handled_later',
    'a step, a child and a refused call fail while the code waits for something else, in each run',
    async (world) => {
      const unhandled: Array<unknown> = []
      const note = (error: unknown): void => void unhandled.push(error)
      const others = process.listeners('unhandledRejection')
      process.removeAllListeners('unhandledRejection')
      process.on('unhandledRejection', note)
      try {
        const { executor, flow } = await started(world, async (ctx) => {
          const calls = [
            ctx.step('bad', () => {
              throw new Error('bad')
            }),
            ctx.runTask({ id: 'nobody' }, 1),
            ctx.sleep('', 1),
          ]
          const go = await ctx.waitForSignal('go')
          const ends = await Promise.allSettled(calls)
          return [go, ...ends.map(({ status }) => status)]
        })
        const handle = await executor.enqueueTask(flow, undefined)
        await suspended(world, handle.getTaskExecutionId())
        await world.clock.advance('15s')
        await world.until(executor.signal(handle.getTaskExecutionId(), 'go', 7))
        const end = await world.finish(handle)
        assert.deepEqual(end.status === 'completed' && end.output, [7, 'rejected', 'rejected', 'rejected'])
        assert.deepEqual(unhandled, [])
      } finally {
        process.removeListener('unhandledRejection', note)
        others.forEach((listener) => process.on('unhandledRejection', listener))
      }
    },
  ),

  engineCase(
    'call.leaves_room',
    'a loop that minds no error goes on after the function has returned',
    async (world) => {
      let calls = 0
      let isTurn = false
      const gate = createGate()
      const { executor, flow } = await started(world, (ctx) => {
        const beat = async (): Promise<void> => {
          await gate.promise
          setImmediate(() => {
            isTurn = true
          })
          while (!isTurn && calls < 10_000) {
            calls += 1
            await ctx.step('beat', () => 1).catch(() => {})
            await ctx.runTask({ id: 'flow' }, 1).catch(() => {})
            await ctx.runTasks('none' as never).catch(() => {})
          }
        }
        void beat()
        return 1
      })
      await world.finish(await executor.enqueueTask(flow, undefined))
      gate.open()
      await untilTrue(world, () => isTurn)
      assert.ok(calls < 100, `${calls} calls`)
    },
  ),

  engineCase('call.not_awaited', 'a state is told, and nobody waits for that', async (world) => {
    const executor = world.newExecutor()
    const flow = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: (ctx, isAwaited: boolean) => {
        const told = ctx.setState(1)
        return isAwaited ? told : undefined
      },
    })
    await world.until(executor.start())
    const told = (): number =>
      world.logs.filter(({ message }) => message.includes('has returned while calls of ctx were at work'))
        .length
    await world.finish(await executor.enqueueTask(flow, true))
    assert.equal(told(), 0)
    await world.finish(await executor.enqueueTask(flow, false))
    assert.equal(told(), 1)
  }),
]
