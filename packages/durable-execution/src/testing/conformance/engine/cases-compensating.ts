/** Cases: what an execution did that ended badly is undone. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { type ExecutionRow } from '../../../machine/execution.ts'
import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR } from './durable-lives.ts'
import { untilRow, untilTrue } from './lives.ts'
import { type EngineWorld } from './world.ts'

export const COMPENSATING_RULES: Record<string, string> = {
  'compensation.undone':
    'When an execution ends badly, what it registered is undone by an execution of its own, the last first.',
  'compensation.only_bad': 'What ends well is not undone, and what registered nothing needs no undoing.',
  'compensation.as_far_as_it_got':
    'Only what was registered before the end is undone, with the values that were remembered.',
  'compensation.retried':
    'What cannot be undone at once is tried again, and does not keep the rest from being undone.',
  'compensation.once': 'What was undone is not undone again after a crash.',
  'compensation.end_is_final':
    'The end of the execution is final at once, whatever becomes of the undoing; its view names that.',
}

type Order = { fails: boolean }

/** A task that books three things, undoes what it booked if it fails, and says what it did. */
function defineOrder(
  executor: DurableExecutor,
  log: Array<string>,
  undo: (name: string) => void = () => {},
): void {
  executor.task({
    id: 'order',
    timeoutMs: HOUR,
    run: async (ctx: DurableTaskRunContext, { fails }: Order) => {
      for (const name of ['hotel', 'car', 'flight']) {
        let booking = 0
        await ctx.compensate(`cancel ${name}`, () => {
          undo(name)
          log.push(`undo ${name} ${booking}`)
        })
        booking = await ctx.step(`book ${name}`, () => {
          log.push(`book ${name}`)
          return name.length
        })
        if (name === 'car') {
          await ctx.sleep('think', 3_000)
          if (fails) {
            throw new Error('no flight')
          }
        }
      }
      return 'booked'
    },
  })
}

/** What undoes the execution, once it has ended. The clock is moved by such leaps until then. */
export async function compensationOf(
  world: EngineWorld,
  executionId: string,
  leapMs: number = 1_000,
): Promise<ExecutionRow> {
  const id = `${executionId}!compensation`
  for (let leaps = 0; leaps < 100; leaps += 1) {
    const found = (await world.rows()).find((row) => row.executionId === id && row.isClosed)
    if (found !== undefined) {
      return found
    }
    await world.clock.leap(leapMs)
  }
  assert.fail('it was not undone in time')
}

export const COMPENSATING_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'compensation.undone',
    'an order that fails is undone from its last booking to its first',
    async (world) => {
      const executor = world.newExecutor()
      const log: Array<string> = []
      defineOrder(executor, log)
      await world.until(executor.start())
      const handle = await executor.enqueueTask<Order, string>({ id: 'order' }, { fails: true })
      const end = await world.finish(handle)
      assert.equal(end.status === 'failed' && end.error.message, 'no flight')
      const undone = await compensationOf(world, end.executionId)
      assert.equal(undone.status, 'completed')
      assert.deepEqual(log, ['book hotel', 'book car', 'undo car 3', 'undo hotel 5'])
      const { compensation } = await handle.getTaskExecution()
      // A storage that does not keep it cannot show it.
      if ((await world.row(end.executionId)).hasCompensations !== undefined) {
        assert.deepEqual(compensation, { taskId: 'order', executionId: `${end.executionId}!compensation` })
      }
      const view = await (
        await executor.getTaskHandle<Order, unknown>({ id: 'order' }, `${end.executionId}!compensation`)
      ).getTaskExecution()
      assert.deepEqual(view.status === 'completed' && view.output, ['cancel car', 'cancel hotel'])
    },
  ),

  engineCase(
    'compensation.only_bad',
    'an order that ends well, or does nothing, is left as it is',
    async (world) => {
      const executor = world.newExecutor()
      const log: Array<string> = []
      defineOrder(executor, log)
      executor.task({
        id: 'plain',
        timeoutMs: HOUR,
        run: async (ctx) => {
          await ctx.step('one', () => 1)
          throw new Error('broken')
        },
      })
      await world.until(executor.start())
      const good = await world.finish(
        await executor.enqueueTask<Order, string>({ id: 'order' }, { fails: false }),
      )
      assert.equal(good.status === 'completed' && good.output, 'booked')
      assert.equal((await world.finish(await executor.enqueueTask({ id: 'plain' }, 1))).status, 'failed')
      await world.clock.advance('2m')
      assert.equal(
        (await world.rows()).every(
          ({ executionId, isClosed }) => isClosed && !executionId.endsWith('!compensation'),
        ),
        true,
      )
      assert.deepEqual(log, ['book hotel', 'book car', 'book flight'])
    },
  ),

  engineCase(
    'compensation.as_far_as_it_got',
    'a cancelled order is undone as far as it had got',
    async (world) => {
      const executor = world.newExecutor()
      const log: Array<string> = []
      defineOrder(executor, log)
      await world.until(executor.start())
      const handle = await executor.enqueueTask<Order, string>({ id: 'order' }, { fails: false })
      await untilTrue(world, () => log.length === 2)
      await untilRow(world, handle.getTaskExecutionId(), ({ status }) => status === 'ready')
      assert.equal(await world.until(handle.cancel()), true)
      assert.equal((await world.finish(handle)).status, 'cancelled')
      assert.equal((await compensationOf(world, handle.getTaskExecutionId())).status, 'completed')
      assert.deepEqual(log, ['book hotel', 'book car', 'undo car 3', 'undo hotel 5'])
    },
  ),

  engineCase(
    'compensation.retried',
    'what fails to be undone is tried again, and at last given up alone',
    async (world) => {
      const executor = world.newExecutor()
      const log: Array<string> = []
      let tries = 0
      defineOrder(executor, log, (name) => {
        if (name === 'car') {
          tries += 1
          throw new Error('the car desk is closed')
        }
      })
      await world.until(executor.start())
      const end = await world.finish(
        await executor.enqueueTask<Order, string>({ id: 'order' }, { fails: true }),
      )
      const undone = await compensationOf(world, end.executionId, 20_000)
      assert.equal(undone.status, 'failed')
      assert.equal(undone.error?.message, 'the car desk is closed')
      assert.equal(tries, 11)
      assert.ok(log.includes('undo hotel 5'))
      assert.equal((await world.row(end.executionId)).error?.message, 'no flight')
    },
  ),

  engineCase('compensation.once', 'a crash while undoing does not undo twice', async (world) => {
    const log: Array<string> = []
    const first = world.newExecutor({ expireMs: 4_000 })
    let isStuck = true
    defineOrder(first, log, (name) => {
      if (name === 'hotel' && isStuck) {
        isStuck = false
        world.kill(first)
      }
    })
    await world.until(first.start())
    const handle = await first.enqueueTask<Order, string>({ id: 'order' }, { fails: true })
    await untilTrue(world, () => !isStuck)
    const second = world.newExecutor({ expireMs: 4_000 })
    defineOrder(second, log)
    await world.until(second.start())
    assert.equal((await compensationOf(world, handle.getTaskExecutionId())).status, 'completed')
    // The last one was done by the process that died before anybody heard of it.
    assert.deepEqual(log, ['book hotel', 'book car', 'undo car 3', 'undo hotel 5', 'undo hotel 5'])
  }),

  engineCase(
    'compensation.end_is_final',
    'a parent that awaits a failed order hears of it before it is undone',
    async (world) => {
      const executor = world.newExecutor()
      const log: Array<string> = []
      defineOrder(executor, log)
      const flow = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) =>
          await ctx
            .runTask<Order, string>({ id: 'order' }, { fails: true })
            .catch((error: unknown) => (error as Error).message),
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(flow, undefined))
      assert.equal(end.status === 'completed' && end.output, 'no flight')
      await untilTrue(world, () => log.length === 4)
      await world.clock.advance('5s')
      assert.deepEqual(
        (await world.rows())
          .filter(({ executionId }) => executionId.endsWith('!compensation'))
          .map(({ status, isClosed }) => [status, isClosed]),
        [['completed', true]],
      )
    },
  ),
]
