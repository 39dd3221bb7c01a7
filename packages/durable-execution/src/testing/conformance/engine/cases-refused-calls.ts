/** Cases: durable calls that are refused. */

import assert from 'node:assert/strict'

import { DurableExecutionError } from '../../../base/errors.ts'
import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR } from './durable-lives.ts'
import { createGate, untilTrue } from './lives.ts'

export const REFUSED_CALL_RULES: Record<string, string> = {
  'call.names': 'Whatever has a name needs one of 1 to 255 characters.',
  'call.options': 'Options and functions that are none are refused, and nothing is remembered of that.',
  'call.in_step': 'The function of a step makes no durable calls: they are refused, and count as no call.',
  'call.after_end': 'A call that is made when the function has ended is refused.',
  'call.too_large': 'A result, a state, an input or a payload that is too large is refused.',
  'step.refused': 'What cannot be remembered, and what no step can be, is refused clearly.',
}

/** Every call, as far as it comes where it is refused. */
const EACH_CALL: Record<string, (ctx: DurableTaskRunContext) => Promise<unknown>> = {
  step: async (ctx) => await ctx.step('call', () => 1),
  sleep: async (ctx) => {
    await ctx.sleep('call', 1)
  },
  waitForSignal: async (ctx) => await ctx.waitForSignal('call'),
  runTask: async (ctx) => await ctx.runTask({ id: 'flow' }, 1, { name: 'call' }),
  runTasks: async (ctx) => await ctx.runTasks([{ task: { id: 'flow' }, input: 1 }]),
  compensate: async (ctx) => {
    await ctx.compensate('call', () => {})
  },
  setState: async (ctx) => {
    await ctx.setState(1)
  },
}

/** Notes why the call is refused, for good; one that is not refused fails the case. */
async function refusal(seen: Array<string>, call: Promise<unknown>): Promise<void> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof DurableExecutionError, `after ${seen.at(-1) ?? 'none'} one was not refused`)
  assert.equal(error.isRetryable, false, error.message)
  seen.push(error.message)
}

export const REFUSED_CALL_CASES: Array<EngineConformanceCase> = [
  engineCase('step.refused', 'a result that cannot be kept is an error of the step', async (world) => {
    const executor = world.newExecutor()
    const messages: Array<string> = []
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        const tell = async (call: () => Promise<unknown>): Promise<void> => {
          await call().catch((error: unknown) => messages.push((error as Error).message))
        }
        await tell(async () => await ctx.step('fn', () => () => 1))
        await tell(async () => await ctx.step('', () => 1))
        await tell(async () => await ctx.step('x'.repeat(256), () => 1))
        await tell(async () => await ctx.step('\ud800', () => 1))
        await tell(async () => await ctx.step(7 as never, () => 1))
        await tell(async () => await ctx.step('none', undefined as never))
        await tell(async () => await ctx.step('odd', () => 1, { timeoutMs: 0 }))
        await tell(async () => await ctx.step('odd', () => 1, { retryOptions: { maxAttempts: NaN } }))
        return messages.length
      },
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(task, undefined))
    assert.equal(end.status === 'completed' && end.output, 8)
    assert.match(messages[0] ?? '', /^Error serializing value/)
    for (const message of messages.slice(1, 5)) {
      assert.match(message, /^Invalid name for ctx\.step: must be a text of 1 to 255 characters/)
    }
    assert.equal(messages[5], 'Step none needs a function')
    assert.match(messages[6] ?? '', /^Invalid timeoutMs for step odd/)
    assert.match(messages[7] ?? '', /^Invalid retry options for step odd/)
  }),

  engineCase('call.names', 'what is no name is refused by each call that has one', async (world) => {
    const executor = world.newExecutor()
    const wrong: Array<unknown> = ['', 'x'.repeat(256), 'a\ud800', 7, {}, true]
    const seen: Array<string> = []
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        for (const name of [...wrong, null, undefined] as Array<string>) {
          await refusal(
            seen,
            ctx.step(name, () => 1),
          )
          await refusal(seen, ctx.sleep(name, 1))
          await refusal(seen, ctx.waitForSignal(name))
          await refusal(
            seen,
            ctx.compensate(name, () => {}),
          )
        }
        for (const name of wrong as Array<string>) {
          await refusal(seen, ctx.runTask({ id: 'flow' }, 1, { name }))
          await refusal(seen, ctx.runTasks([{ task: { id: 'flow' }, input: 1, options: { name } as never }]))
        }
      },
    })
    await world.until(executor.start())
    assert.equal((await world.finish(await executor.enqueueTask(task, undefined))).status, 'completed')
    assert.equal(seen.length, 8 * 4 + 6 * 2)
    for (const message of seen) {
      assert.match(
        message,
        /^Invalid name for ctx\.\w+: must be a text of 1 to 255 characters \(limit: nameLength\), got /,
      )
    }
    assert.equal((await world.rows()).length, 1)
  }),

  engineCase('call.options', 'options and functions of wrong types are refused', async (world) => {
    const executor = world.newExecutor()
    const seen: Array<string> = []
    const odd = [7, 'fast', true, () => 1] as Array<never>
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        for (const options of odd.slice(0, 3)) {
          await refusal(
            seen,
            ctx.step('odd', () => 1, options),
          )
          await refusal(seen, ctx.waitForSignal('odd', options))
          await refusal(
            seen,
            ctx.compensate('odd', () => {}, options),
          )
        }
        for (const timeoutMs of [-1, NaN, 0.5, Infinity, '5'] as Array<never>) {
          await refusal(
            seen,
            ctx.step('odd', () => 1, { timeoutMs }),
          )
          await refusal(seen, ctx.waitForSignal('odd', { timeoutMs }))
          await refusal(seen, ctx.runTask({ id: 'flow' }, 1, { timeoutMs }))
        }
        for (const retryOptions of [
          7,
          { maxAttempts: -1 },
          { maxAttempts: 1, baseDelayMs: NaN },
        ] as Array<never>) {
          await refusal(
            seen,
            ctx.step('odd', () => 1, { retryOptions }),
          )
        }
        await refusal(seen, ctx.waitForSignal('odd', { schema: 7 as never }))
        for (const fn of [undefined, null, 'work', {}] as Array<never>) {
          await refusal(seen, ctx.step('odd', fn))
          await refusal(seen, ctx.compensate('odd', fn))
        }
      },
    })
    await world.until(executor.start())
    assert.equal((await world.finish(await executor.enqueueTask(task, undefined))).status, 'completed')
    assert.equal(seen.length, 3 * 3 + 5 * 3 + 3 + 1 + 4 * 2)
    assert.equal((await world.rows()).length, 1)
  }),

  engineCase('call.in_step', 'the function of a step is refused every call', async (world) => {
    const executor = world.newExecutor()
    const seen: Array<string> = []
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        const outer = await ctx.step(
          'outer',
          async () => {
            await Promise.resolve()
            for (const call of Object.values(EACH_CALL)) {
              await refusal(seen, call(ctx))
            }
            return 'outer'
          },
          { timeoutMs: 5_000 },
        )
        // It was refused before, and so this is the first one.
        const inner = await ctx.step('call', () => 'inner')
        await ctx.sleep('nap', 2_000)
        return [outer, inner]
      },
    })
    await world.until(executor.start())
    const handle = await executor.enqueueTask(task, undefined)
    const end = await world.finish(handle)
    assert.deepEqual(end.status === 'completed' && end.output, ['outer', 'inner'])
    assert.deepEqual(
      seen,
      Object.keys(EACH_CALL).map(
        (call) =>
          `ctx.${call} was called in the function of step outer, which is one thing that is done or not. ` +
          'Call it before or after that.',
      ),
    )
    assert.deepEqual(
      (await world.rows()).map(({ executionId }) => executionId.slice(handle.getTaskExecutionId().length)),
      ['', ':call:1', ':nap:1', ':outer:1'],
    )
  }),

  engineCase(
    'call.after_end',
    'a call after the run has ended is refused, whichever it is',
    async (world) => {
      const executor = world.newExecutor()
      let kept: DurableTaskRunContext | undefined
      const gate = createGate()
      const inPlainPromise = createGate<unknown>()
      const task = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          kept = ctx
          void gate.promise.then(async () => await ctx.step('late', () => 1)).catch(inPlainPromise.open)
          return await ctx.step('only', () => 'over')
        },
      })
      await world.until(executor.start())
      assert.equal((await world.finish(await executor.enqueueTask(task, undefined))).status, 'completed')
      const seen: Array<string> = []
      for (const call of Object.values(EACH_CALL)) {
        await refusal(seen, kept === undefined ? Promise.resolve() : call(kept))
      }
      assert.deepEqual(
        seen,
        Object.keys(EACH_CALL).map(
          (call) =>
            `ctx.${call} was called after the run had ended. Await every call before the function of the task returns.`,
        ),
      )
      gate.open()
      assert.match(
        String(await world.until(inPlainPromise.promise)),
        /ctx\.step was called after the run had ended/,
      )
      assert.equal((await world.rows()).length, 2)
    },
  ),

  engineCase('call.too_large', 'what is larger than payloads may be is refused', async (world) => {
    const executor = world.newExecutor({ maxPayloadBytes: 200 })
    const large = 'x'.repeat(300)
    const seen: Array<string> = []
    let tries = 0
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        const step = ctx.step(
          'large',
          () => {
            tries += 1
            return large
          },
          { retryOptions: { maxAttempts: 3 } },
        )
        await refusal(seen, step)
        await refusal(seen, ctx.setState(large))
        await refusal(seen, ctx.runTask({ id: 'flow' }, large))
        return await ctx.waitForSignal('go')
      },
    })
    await world.until(executor.start())
    const handle = await executor.enqueueTask(task, undefined)
    const id = handle.getTaskExecutionId()
    await untilTrue(world, () => seen.length === 3)
    await refusal(seen, world.until(executor.signal(id, 'go', large)))
    await world.until(executor.signal(id, 'go', 'small'))
    const end = await world.finish(handle)
    assert.equal(end.status === 'completed' && end.output, 'small')
    assert.equal(tries, 1)
    for (const message of seen.slice(0, 4)) {
      assert.match(message, / is \d+ bytes long; at most 200 are allowed \(limit: maxPayloadBytes\)/)
    }
  }),
]
