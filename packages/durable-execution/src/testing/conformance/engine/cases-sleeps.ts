/** Cases: executions that sleep, and that wait for signals. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type DurableTask } from '../../../task/define.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { createFaultyStorage } from '../../faults.ts'
import { createGate, untilRow, untilTrue } from './lives.ts'
import { type EngineWorld } from './world.ts'

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
  'state.told':
    'What a function says of its progress is told by its handle, in every process, also when it has ended.',
}

const HOUR = 3_600_000

type Run = (ctx: DurableTaskRunContext, input: unknown) => unknown

/** A started executor, and its task. */
async function started(
  world: EngineWorld,
  run: Run,
  options: Parameters<EngineWorld['newExecutor']>[0] = {},
): Promise<{ executor: DurableExecutor; flow: DurableTask<unknown, unknown> }> {
  const executor = world.newExecutor(options)
  const flow = executor.task({ id: 'flow', timeoutMs: HOUR, run })
  await world.until(executor.start())
  return { executor, flow }
}

async function suspended(world: EngineWorld, executionId: string): Promise<void> {
  await untilRow(world, executionId, (row) => row.status === 'ready' && row.startedAt !== undefined)
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
      await ctx.sleep('long', 60_000)
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
          await ctx.sleep('long', HOUR)
          return 'awake'
        },
        // An hour passes, and nobody else writes: what is due is known without looking often.
        { maxConcurrentTaskExecutions: 1, backgroundProcessIntraBatchSleepMs: 10_000 },
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
      await world.clock.advance(HOUR)
      for (const handle of handles) {
        assert.equal((await world.finish(handle)).status, 'completed')
      }
    },
  ),

  engineCase('suspended.unseen', 'neither catch nor finally runs in a run that is left', async (world) => {
    const seen: Array<string> = []
    const { executor, flow } = await started(world, async (ctx) => {
      try {
        await ctx.sleep('long', 60_000)
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
      await world.clock.advance('1m')
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
      await ctx.sleep('late', 60_000)
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

  engineCase(
    'state.told',
    'the state is what was said last, here and elsewhere, during the run and after',
    async (world) => {
      const gate = createGate()
      const { executor, flow } = await started(world, async (ctx) => {
        await ctx.setState({ done: 1 })
        await ctx.sleep('nap', 5_000)
        await ctx.setState({ done: 2 })
        await gate.promise
        await ctx.setState({ done: 3 })
        throw new Error('broken')
      })
      const handle = await executor.enqueueTask(flow, undefined)
      const elsewhere = world.newExecutor()
      elsewhere.task({ id: 'flow', timeoutMs: HOUR, run: () => 0 })
      const other = await world.until(
        elsewhere.getTaskHandle<unknown, unknown>({ id: 'flow' }, handle.getTaskExecutionId()),
      )
      await suspended(world, handle.getTaskExecutionId())
      assert.deepEqual(await world.until(other.getState()), { done: 1 })
      await world.clock.advance('10s')
      assert.deepEqual(await world.until(other.getState()), { done: 2 })
      gate.open()
      assert.equal((await world.finish(handle)).status, 'failed')
      assert.deepEqual(await world.until(other.getState()), { done: 3 })
    },
  ),
]
