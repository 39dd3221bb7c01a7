/** Cases: signals and waits at the edge: what is sent to whom, how often, and what of that is refused. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR, started, suspended } from './durable-lives.ts'
import { untilTrue } from './lives.ts'
import { assertRefused } from './refusals.ts'

export const SIGNAL_EDGE_RULES: Record<string, string> = {
  'signal.options': 'What is no name, no payload or no key of a signal is refused, and nothing is sent.',
  'signal.not_begun': 'A signal may be sent to an execution that has not begun.',
  'signal.left_over': 'Signals that nobody waits for change nothing, and a key counts once for each name.',
  'signal.ended': 'An execution takes no signals once it has ended, however it ended.',
}

export const SIGNAL_EDGE_CASES: Array<EngineConformanceCase> = [
  engineCase('signal.options', 'names, payloads and keys that are none are refused', async (world) => {
    const { executor, flow } = await started(world, async (ctx) => await ctx.waitForSignal('go'))
    const id = (await executor.enqueueTask(flow, undefined)).getTaskExecutionId()
    await suspended(world, id)
    for (const name of ['', 'x'.repeat(256), 'a\ud800', 7, null, undefined] as Array<string>) {
      await assertRefused(() => executor.signal(id, name, 1), /Invalid name for /)
    }
    for (const idempotencyKey of ['', 'x'.repeat(256), 7, {}] as Array<string>) {
      await assertRefused(
        () => executor.signal(id, 'go', 1, { idempotencyKey }),
        /Invalid name for |dempotency/,
      )
    }
    for (const executionId of [null, undefined, 7, ''] as Array<string>) {
      await assertRefused(() => executor.signal(executionId, 'go', 1), /Invalid execution id|not found/)
    }
    await assertRefused(() => executor.signal(id, 'go', Symbol('no text')), /Error serializing value/)
    await world.clock.advance('2s')
    assert.equal((await world.row(id)).status, 'ready')
    assert.equal((await world.rows()).length, 2)
    assert.equal(await world.until((await executor.getTaskHandle(flow, id)).cancel()), true)
  }),

  engineCase('signal.not_begun', 'it finds what was sent to it when it begins', async (world) => {
    const { executor, flow } = await started(world, async (ctx) => await ctx.waitForSignal('go'))
    const handle = await executor.enqueueTask(flow, undefined, { sleepMsBeforeRun: 5_000 })
    const before = await world.row(handle.getTaskExecutionId())
    await world.until(executor.signal(handle.getTaskExecutionId(), 'go', 'early'))
    const after = await world.row(handle.getTaskExecutionId())
    assert.deepEqual(
      [after.status, after.startAt],
      ['ready', before.startAt],
      'a signal wakes only what waits for it',
    )
    const end = await world.finish(handle)
    assert.equal(end.status === 'completed' && end.output, 'early')
    assert.ok((end.startedAt?.getTime() ?? NaN) - end.createdAt.getTime() >= 5_000)
  }),

  engineCase('signal.left_over', 'more are sent than are waited for', async (world) => {
    let isWaiting = false
    const { executor, flow } = await started(world, async (ctx) => {
      const first = await ctx.waitForSignal('go')
      isWaiting = true
      return [first, await ctx.waitForSignal('stop')]
    })
    const handle = await executor.enqueueTask(flow, undefined)
    const id = handle.getTaskExecutionId()
    await suspended(world, id)
    await world.until(executor.signal(id, 'go', 1, { idempotencyKey: 'a' }))
    await untilTrue(world, () => isWaiting)
    await suspended(world, id)
    await world.until(executor.signal(id, 'go', 2, { idempotencyKey: 'a' }))
    await world.until(executor.signal(id, 'go', 3))
    await world.clock.advance('2s')
    assert.equal((await world.row(id)).status, 'ready')
    await world.until(executor.signal(id, 'stop', 4, { idempotencyKey: 'a' }))
    const end = await world.finish(handle)
    assert.deepEqual(end.status === 'completed' && end.output, [1, 4])
  }),

  engineCase('signal.ended', 'what failed, timed out or was cancelled takes none', async (world) => {
    const { executor, flow } = await started(world, async (ctx, input) => {
      if (input === 'fails') {
        throw new Error('bad')
      }
      await ctx.sleep('long', HOUR)
    })
    const failed = await executor.enqueueTask(flow, 'fails')
    await world.finish(failed)
    const cancelled = await executor.enqueueTask(flow, 'waits')
    await suspended(world, cancelled.getTaskExecutionId())
    await world.until(cancelled.cancel())
    for (const handle of [failed, cancelled]) {
      await assertRefused(
        () => world.until(executor.signal(handle.getTaskExecutionId(), 'go')),
        /Execution \S+ has finished \((?:failed|cancelled)\)$/,
      )
    }
    assert.equal((await world.rows()).filter((row) => row.runInput === '#signal').length, 0)
  }),
]
