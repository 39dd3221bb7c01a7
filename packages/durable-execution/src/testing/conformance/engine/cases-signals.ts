/** Cases: executions that wait for signals. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { type Run, started, suspended } from './durable-lives.ts'
import { createFaultyStorage } from '../../faults.ts'
import { createGate, untilTrue } from './lives.ts'

export const SIGNAL_RULES: Record<string, string> = {
  'signal.any_time':
    'A signal reaches its wait whether it was sent before, while or after the code came to that.',
  'signal.queue': 'Signals of one name are a queue, and each wait takes one.',
  'signal.key': 'Of signals of one name with the same key only the first counts.',
  'signal.timeout':
    'A wait whose time is over rejects, and takes no signal; one that came before it noticed wins.',
  'signal.while_working': 'A signal is told to a run that does something else meanwhile.',
  'signal.schema': 'A payload is checked at the wait.',
  'signal.refused': 'A signal to nobody, or to a finished execution, is refused.',
  'signal.lost_reply': 'A signal whose commit was not acknowledged is sent once.',
}

export const SIGNAL_CASES: Array<EngineConformanceCase> = [
  engineCase('signal.any_time', 'a signal that was sent before the wait is there', async (world) => {
    const { executor, flow } = await started(world, async (ctx) => {
      await ctx.sleep('first', 10_000)
      return await ctx.waitForSignal('go')
    })
    const handle = await executor.enqueueTask(flow, undefined)
    await suspended(world, handle.getTaskExecutionId())
    await world.until(executor.signal(handle.getTaskExecutionId(), 'go', { by: 'Ada' }))
    const end = await world.finish(handle)
    assert.deepEqual(end.status === 'completed' && end.output, { by: 'Ada' })
  }),

  engineCase(
    'signal.any_time',
    'a signal wakes an execution that waits for it, from another process',
    async (world) => {
      const { executor, flow } = await started(world, async (ctx) => await ctx.waitForSignal('go'))
      const handle = await executor.enqueueTask(flow, undefined)
      await suspended(world, handle.getTaskExecutionId())
      await world.clock.leap('10m')
      const client = world.newExecutor()
      await world.until(client.signal(handle.getTaskExecutionId(), 'go', 7))
      const end = await world.finish(handle, 2_000)
      assert.equal(end.status === 'completed' && end.output, 7)
    },
  ),

  engineCase('signal.any_time', 'a signal of another name wakes nobody', async (world) => {
    const { executor, flow } = await started(world, async (ctx) => await ctx.waitForSignal('go'))
    const handle = await executor.enqueueTask(flow, undefined)
    await suspended(world, handle.getTaskExecutionId())
    await world.until(executor.signal(handle.getTaskExecutionId(), 'stop', 7))
    await world.clock.advance('1m')
    assert.equal((await world.row(handle.getTaskExecutionId())).status, 'ready')
    await world.until(executor.signal(handle.getTaskExecutionId(), 'go'))
    assert.equal((await world.finish(handle)).status, 'completed')
  }),

  engineCase(
    'signal.any_time',
    'a signal that comes while the run is being left is not missed',
    async (world) => {
      const { executor, flow } = await started(world, async (ctx) => await ctx.waitForSignal('go'))
      const client = world.newExecutor()
      for (let turns = 0; turns < 12; turns += 1) {
        const handle = await executor.enqueueTask(flow, turns)
        for (let turn = 0; turn < turns; turn += 1) {
          await new Promise<void>((resolve) => {
            setImmediate(resolve)
          })
        }
        const sent = client.signal(handle.getTaskExecutionId(), 'go', turns)
        const end = await world.finish(handle, 5_000)
        await sent
        assert.equal(end.status === 'completed' && end.output, turns)
      }
    },
  ),

  engineCase('signal.queue', 'each wait takes the next signal of its name', async (world) => {
    const { executor, flow } = await started(world, async (ctx) => {
      const first = await ctx.waitForSignal('item')
      const [second, third] = await Promise.all([ctx.waitForSignal('item'), ctx.waitForSignal('item')])
      return [first, second, third, await ctx.waitForSignal('other')]
    })
    const handle = await executor.enqueueTask(flow, undefined)
    const id = handle.getTaskExecutionId()
    for (const value of [1, 2]) {
      await world.until(executor.signal(id, 'item', value))
    }
    await world.clock.advance('1m')
    await world.until(executor.signal(id, 'other', 4))
    await world.until(executor.signal(id, 'item', 3))
    const end = await world.finish(handle)
    assert.deepEqual(end.status === 'completed' && end.output, [1, 2, 3, 4])
  }),

  engineCase('signal.queue', 'forty signals come in their order', async (world) => {
    const { executor, flow } = await started(world, async (ctx) => {
      const all: Array<unknown> = []
      await ctx.sleep('late', 10_000)
      for (let index = 0; index < 40; index += 1) {
        all.push(await ctx.waitForSignal('item'))
      }
      return all
    })
    const handle = await executor.enqueueTask(flow, undefined)
    for (let index = 0; index < 40; index += 1) {
      await world.until(executor.signal(handle.getTaskExecutionId(), 'item', index))
    }
    const end = await world.finish(handle)
    assert.deepEqual(end.status === 'completed' && end.output, [...Array(40).keys()])
  }),

  engineCase('signal.key', 'a signal with the same key counts once', async (world) => {
    const { executor, flow } = await started(world, async (ctx) => {
      await ctx.sleep('late', 10_000)
      return [await ctx.waitForSignal('item'), await ctx.waitForSignal('item')]
    })
    const handle = await executor.enqueueTask(flow, undefined)
    const id = handle.getTaskExecutionId()
    await world.until(executor.signal(id, 'item', 1, { idempotencyKey: 'a' }))
    await world.until(executor.signal(id, 'item', 2, { idempotencyKey: 'a' }))
    await world.until(executor.signal(id, 'item', 3, { idempotencyKey: 'b' }))
    const end = await world.finish(handle)
    assert.deepEqual(end.status === 'completed' && end.output, [1, 3])
  }),

  engineCase(
    'signal.timeout',
    'a wait whose time is over rejects, and the next one gets what comes later',
    async (world) => {
      const { executor, flow } = await started(world, async (ctx) => {
        const seen: Array<unknown> = []
        for (let wait = 0; wait < 3; wait += 1) {
          try {
            seen.push(await ctx.waitForSignal('go', { timeoutMs: 10_000 }))
          } catch (error) {
            seen.push((error as Error).name)
          }
        }
        return seen
      })
      const handle = await executor.enqueueTask(flow, undefined)
      await world.clock.advance('25s')
      await world.until(executor.signal(handle.getTaskExecutionId(), 'go', 'late'))
      const end = await world.finish(handle)
      const late = 'DurableExecutionTimedOutError'
      assert.deepEqual(end.status === 'completed' && end.output, [late, late, 'late'])
    },
  ),

  engineCase(
    'signal.timeout',
    'a signal that came while nobody was there wins over a time that is over',
    async (world) => {
      const run: Run = async (ctx) => await ctx.waitForSignal('go', { timeoutMs: 10_000 })
      const first = await started(world, run)
      const handle = await first.executor.enqueueTask(first.flow, undefined)
      await suspended(world, handle.getTaskExecutionId())
      await world.until(first.executor.shutdown())
      const client = world.newExecutor()
      await world.clock.leap('1m')
      await world.until(client.signal(handle.getTaskExecutionId(), 'go', 'in time'))
      const second = await started(world, run)
      const end = await world.finish(
        await second.executor.getTaskHandle(second.flow, handle.getTaskExecutionId()),
      )
      assert.equal(end.status === 'completed' && end.output, 'in time')
    },
  ),

  engineCase(
    'signal.timeout',
    'a wait of less than a second hears the signal that another process sends meanwhile, and no later one',
    async (world) => {
      const { executor, flow } = await started(world, async (ctx) => {
        const first = await ctx.waitForSignal('go', { timeoutMs: 900 })
        const second = await ctx.waitForSignal('go', { timeoutMs: 900 }).catch(() => 'nothing')
        return [first, second, await ctx.waitForSignal('go')]
      })
      const handle = await executor.enqueueTask(flow, undefined)
      await untilTrue(world, () => executor.getRunningTaskExecutionIds().size === 1)
      const client = world.newExecutor()
      await world.clock.advance(400)
      await world.until(client.signal(handle.getTaskExecutionId(), 'go', 'in time'))
      await world.clock.advance(2_000)
      await world.until(client.signal(handle.getTaskExecutionId(), 'go', 'late'))
      const end = await world.finish(handle)
      assert.deepEqual(end.status === 'completed' && end.output, ['in time', 'nothing', 'late'])
    },
  ),

  engineCase('signal.timeout', 'a wait of no time looks once', async (world) => {
    const { executor, flow } = await started(world, async (ctx) => {
      await ctx.sleep('late', 5_000)
      const look = async (): Promise<unknown> =>
        await ctx.waitForSignal('go', { timeoutMs: 0 }).catch(() => 'nothing')
      return [await look(), await look()]
    })
    const handle = await executor.enqueueTask(flow, undefined)
    await world.until(executor.signal(handle.getTaskExecutionId(), 'go', 1))
    const end = await world.finish(handle)
    assert.deepEqual(end.status === 'completed' && end.output, [1, 'nothing'])
  }),

  engineCase(
    'signal.while_working',
    'a signal interrupts a step that a run would else wait for',
    async (world) => {
      const gate = createGate<string>()
      let isAtWork = false
      const { executor, flow } = await started(world, async (ctx) => {
        const work = ctx.step('slow', async () => {
          isAtWork = true
          return await gate.promise
        })
        return await Promise.race([work, ctx.waitForSignal('stop')])
      })
      const handle = await executor.enqueueTask(flow, undefined)
      await untilTrue(world, () => isAtWork)
      await world.clock.advance('5s')
      const client = world.newExecutor()
      await world.until(client.signal(handle.getTaskExecutionId(), 'stop', 'stopped'))
      const end = await world.finish(handle, 2_000)
      assert.equal(end.status === 'completed' && end.output, 'stopped')
      gate.open('late')
      await world.clock.settle()
    },
  ),

  engineCase('signal.schema', 'a payload that the schema refuses is an error of the run', async (world) => {
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'conformance',
        validate: (value: unknown) =>
          typeof value === 'number' ? { value: value + 1 } : { issues: [{ message: 'Expected a number' }] },
      },
    }
    const { executor, flow } = await started(world, async (ctx) => await ctx.waitForSignal('go', { schema }))
    const [good, bad] = [await executor.enqueueTask(flow, 1), await executor.enqueueTask(flow, 2)]
    await world.until(executor.signal(good.getTaskExecutionId(), 'go', 41))
    await world.until(executor.signal(bad.getTaskExecutionId(), 'go', 'no number'))
    const end = await world.finish(good)
    assert.equal(end.status === 'completed' && end.output, 42)
    const failed = await world.finish(bad)
    assert.match(
      failed.status === 'failed' ? failed.error.message : '',
      /^Invalid payload of signal go: × Expected a number/,
    )
  }),

  engineCase('signal.refused', 'a signal to nobody or to what has finished is refused', async (world) => {
    const { executor, flow } = await started(world, async (ctx) => await ctx.step('one', () => 1))
    const handle = await executor.enqueueTask(flow, undefined)
    const id = handle.getTaskExecutionId()
    await world.finish(handle)
    await assert.rejects(world.until(executor.signal('te_nobody', 'go')), /: Execution te_nobody not found$/)
    await assert.rejects(world.until(executor.signal(`${id}:one:1`, 'go')), /: Execution .*:one:1 not found$/)
    await assert.rejects(
      world.until(executor.signal(id, 'go')),
      /: Execution \S+ has finished \(completed\)$/,
    )
    await assert.rejects(world.until(executor.signal(id, '')), /: Invalid name for /)
    await assert.rejects(
      world.until(executor.signal(7 as never, 'go')),
      /: Invalid execution id: must be a text/,
    )
    await assert.rejects(world.until(executor.signal(id, 'go', () => 1)), /: Error serializing value/)
    await assert.rejects(world.until(executor.getTaskHandle(flow, `${id}:one:1`)), /not found$/)
  }),

  engineCase('signal.lost_reply', 'a signal whose reply was lost is there once', async (world) => {
    const { executor, flow } = await started(world, async (ctx) => {
      await ctx.sleep('late', 10_000)
      return [await ctx.waitForSignal('item'), await ctx.waitForSignal('item')]
    })
    const handle = await executor.enqueueTask(flow, undefined)
    await suspended(world, handle.getTaskExecutionId())
    const storage = createFaultyStorage(world.storage)
    const client = world.newExecutor({ storage })
    let faults = 2
    storage.failAtCommitWhen(() => (faults-- > 0 ? 'lost_reply' : undefined))
    await world.until(client.signal(handle.getTaskExecutionId(), 'item', 1))
    await world.until(client.signal(handle.getTaskExecutionId(), 'item', 2))
    const end = await world.finish(handle)
    assert.deepEqual(end.status === 'completed' && end.output, [1, 2])
  }),
]
