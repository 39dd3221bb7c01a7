/** Cases: what a function says of its progress. */

import assert from 'node:assert/strict'

import { type DurableStorageTx } from '../../../storage/contract.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR, type Run, started, suspended } from './durable-lives.ts'
import { createGate, untilTrue } from './lives.ts'
import { assertRefused } from './refusals.ts'

export const STATE_RULES: Record<string, string> = {
  'state.last_wins': 'What was said last counts, and survives the process that said it.',
  'state.refused': 'A state that cannot be written is refused.',
  'state.told':
    'What a function says of its progress is told by its handle, in every process, also when it has ended.',
}

/** As a storage is from which all was deleted. */
const emptied = (tx: DurableStorageTx): DurableStorageTx =>
  new Proxy(tx, { get: () => () => Promise.resolve([]) })

export const STATE_CASES: Array<EngineConformanceCase> = [
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

  engineCase(
    'state.last_wins',
    'a state that is told again and again is written each time at once',
    async (world) => {
      const { executor, flow } = await started(world, async (ctx) => {
        for (let done = 1; done <= 20; done += 1) {
          await ctx.setState(done)
        }
      })
      const handle = await executor.enqueueTask(flow, undefined)
      assert.equal((await world.finish(handle)).status, 'completed')
      assert.equal(await world.until(handle.getState()), 20)
      assert.deepEqual(
        world.logs.filter(({ message }) => message.includes('could not be stored')),
        [],
      )
    },
  ),

  engineCase(
    'state.told',
    'there is no state before one was told, and none of what was deleted',
    async (world) => {
      const gate = createGate()
      const { executor, flow } = await started(world, async (ctx) => {
        await gate.promise
        await ctx.setState(null)
        await ctx.sleep('nap', 2_000)
        await ctx.setState(undefined)
      })
      const later = await executor.enqueueTask(flow, 1, { sleepMsBeforeRun: HOUR })
      assert.equal(await world.until(later.getState()), undefined)
      const handle = await executor.enqueueTask(flow, 2)
      await untilTrue(world, () => executor.getRunningTaskExecutionIds().size === 1)
      assert.equal(await world.until(handle.getState()), undefined)
      gate.open()
      await suspended(world, handle.getTaskExecutionId())
      assert.equal(await world.until(handle.getState()), null)
      await world.finish(handle)
      assert.equal(await world.until(handle.getState()), undefined)
      let isDeleted = false
      const client = world.newExecutor({
        storage: {
          withTransaction: (fn, hint) =>
            world.storage.withTransaction((tx) => fn(isDeleted ? emptied(tx) : tx), hint),
        },
      })
      const same = client.task({ id: 'flow', timeoutMs: HOUR, run: () => 0 })
      const gone = await world.until(client.getTaskHandle(same, handle.getTaskExecutionId()))
      isDeleted = true
      await assertRefused(() => world.until(gone.getState()), /^Execution \S+ not found$/)
    },
  ),

  engineCase(
    'state.last_wins',
    'of what is said at once the last counts, and a crash forgets nothing of it',
    async (world) => {
      const gate = createGate()
      let isSaid = false
      const run: Run = async (ctx) => {
        if (isSaid) {
          return 'again'
        }
        await Promise.all([1, 2, 3].map((value) => ctx.setState(value)))
        await ctx.setState({ at: new Date(4) })
        isSaid = true
        await gate.promise
        return 'never'
      }
      const first = await started(world, run, { expireMs: 4_000 })
      const handle = await first.executor.enqueueTask(first.flow, undefined)
      await untilTrue(world, () => isSaid)
      world.kill(first.executor)
      const second = await started(world, run, { expireMs: 4_000 })
      const same = await second.executor.getTaskHandle(second.flow, handle.getTaskExecutionId())
      assert.deepEqual(await world.until(same.getState()), { at: new Date(4) })
      const end = await world.finish(same)
      assert.equal(end.status === 'completed' && end.output, 'again')
      assert.deepEqual(await world.until(same.getState()), { at: new Date(4) })
      assert.equal((await world.rows()).length, 2)
    },
  ),

  engineCase(
    'state.refused',
    'a state that cannot be written is refused, and the one before stays',
    async (world) => {
      const { executor, flow } = await started(world, async (ctx) => {
        await ctx.setState('kept')
        return await ctx.setState(() => 1).catch((error: unknown) => (error as Error).message)
      })
      const handle = await executor.enqueueTask(flow, undefined)
      const end = await world.finish(handle)
      assert.match(String(end.status === 'completed' && end.output), /^Error serializing value/)
      assert.equal(await world.until(handle.getState()), 'kept')
    },
  ),
]
