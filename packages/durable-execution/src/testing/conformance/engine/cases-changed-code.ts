/** Cases: executions that began before the code of their task was changed. */

import assert from 'node:assert/strict'

import { DurableExecutionError, DurableExecutionTimedOutError } from '../../../base/errors.ts'
import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR } from './durable-lives.ts'
import { quickTask, untilRow } from './lives.ts'

export const CHANGED_CODE_RULES: Record<string, string> = {
  'code.renamed':
    'Steps are found by name: one that is new is done, one that is gone is forgotten, and their order does not matter.',
  'code.changed_kind': 'A name that is remembered as something else is refused, naming both.',
}

/** A call of each kind, as the errors name it. */
const KINDS: Record<string, (ctx: DurableTaskRunContext, name: string) => Promise<unknown>> = {
  'a step': async (ctx, name) => await ctx.step(name, () => 1),
  'a sleep': async (ctx, name) => {
    await ctx.sleep(name, 1)
  },
  'a wait for a signal': async (ctx, name) =>
    await ctx.waitForSignal(name, { timeoutMs: 0 }).catch((error: unknown) => {
      if (!(error instanceof DurableExecutionTimedOutError)) {
        throw error
      }
    }),
  'a compensation': async (ctx, name) => {
    await ctx.compensate(name, () => {})
  },
  'a child of task one': async (ctx, name) => await ctx.runTask({ id: 'one' }, 1, { name }),
  'a child of task two': async (ctx, name) => await ctx.runTask({ id: 'two' }, 1, { name }),
}

export const CHANGED_CODE_CASES: Array<EngineConformanceCase> = [
  engineCase('code.renamed', 'after a change of the code, steps are found by their names', async (world) => {
    const done: Array<string> = []
    const code = {
      before: async (ctx: DurableTaskRunContext): Promise<string> => {
        const step = async (name: string): Promise<string> =>
          await ctx.step(name, () => note(`before ${name}`))
        await step('kept')
        await step('moved')
        await step('removed')
        await ctx.sleep('nap', 10_000)
        return 'before'
      },
      after: async (ctx: DurableTaskRunContext): Promise<string> => {
        const step = async (name: string): Promise<string> =>
          await ctx.step(name, () => note(`after ${name}`))
        const all = [await step('moved'), await step('added'), await step('kept'), await step('renamed')]
        await ctx.sleep('nap', 10_000)
        return all.join(', ')
      },
    }
    const note = (text: string): string => {
      done.push(text)
      return text
    }
    const define = (run: keyof typeof code): ReturnType<typeof world.newExecutor> => {
      const executor = world.newExecutor()
      executor.task({ id: 'flow', timeoutMs: HOUR, run: code[run] })
      return executor
    }
    const old = define('before')
    await world.until(old.start())
    const handle = await old.enqueueTask({ id: 'flow' }, undefined)
    await untilRow(
      world,
      handle.getTaskExecutionId(),
      (row) => row.status === 'ready' && row.startedAt !== undefined,
    )
    await world.until(old.shutdown())
    const deployed = define('after')
    await world.until(deployed.start())
    const end = await world.finish(await deployed.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId()))
    assert.equal(
      end.status === 'completed' && end.output,
      'before moved, after added, before kept, after renamed',
    )
    assert.deepEqual(done, ['before kept', 'before moved', 'before removed', 'after added', 'after renamed'])
  }),

  engineCase(
    'code.changed_kind',
    'each kind of call is refused under a name that is remembered as another one',
    async (world) => {
      const define = (isOld: boolean): DurableExecutor => {
        const executor = world.newExecutor()
        quickTask(executor, 'one')
        quickTask(executor, 'two')
        executor.task({
          id: 'flow',
          timeoutMs: HOUR,
          run: async (ctx, before: string) => {
            const messages: Array<string> = []
            for (const now of Object.keys(KINDS).filter((kind) => kind !== before)) {
              const name = `${before}, then ${now}`
              await KINDS[isOld ? before : now]?.(ctx, name).catch((error: unknown) => {
                assert.ok(error instanceof DurableExecutionError && !error.isRetryable)
                messages.push(error.message)
              })
            }
            await ctx.sleep('deploy', 5_000)
            return messages
          },
        })
        return executor
      }
      const old = define(true)
      await world.until(old.start())
      const kinds = Object.keys(KINDS)
      const handles = await old.enqueueTasks<string, Array<string>>({ id: 'flow' }, kinds)
      for (const handle of handles) {
        await untilRow(
          world,
          handle.getTaskExecutionId(),
          (row) => row.suspendedFor?.[0]?.kind === 'sleep' || row.startAt.getTime() > world.clock.now(),
        )
      }
      await world.until(old.shutdown())
      const deployed = define(false)
      await world.until(deployed.start())
      for (const [index, before] of kinds.entries()) {
        const id = handles[index]?.getTaskExecutionId() ?? ''
        const end = await world.finish(
          await deployed.getTaskHandle<string, Array<string>>({ id: 'flow' }, id),
        )
        assert.deepEqual(
          end.status === 'completed' && end.output,
          kinds
            .filter((kind) => kind !== before)
            .map(
              (now) =>
                `Execution ${id} remembers "${before}, then ${now}" as ${before}, and the code asks for ${now} of that name. ` +
                'Give the new call another name, so that executions that began before the change can go on.',
            ),
        )
      }
    },
  ),
]
