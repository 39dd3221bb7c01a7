/** Cases: executions that began before the code of their task was changed. */

import assert from 'node:assert/strict'

import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR } from './durable-lives.ts'
import { untilRow } from './lives.ts'

export const CHANGED_CODE_RULES: Record<string, string> = {
  'code.renamed':
    'Steps are found by name: one that is new is done, one that is gone is forgotten, and their order does not matter.',
  'code.changed_kind': 'A name that is remembered as something else is refused, naming both.',
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
    'a step that became a sleep is refused, and says what to do',
    async (world) => {
      const define = (isOld: boolean): ReturnType<typeof world.newExecutor> => {
        const executor = world.newExecutor()
        executor.task({
          id: 'flow',
          timeoutMs: HOUR,
          run: async (ctx) => {
            await (isOld ? ctx.step('pause', () => 1) : ctx.sleep('pause', 1))
            await ctx.sleep('nap', 10_000)
          },
        })
        return executor
      }
      const old = define(true)
      await world.until(old.start())
      const handle = await old.enqueueTask({ id: 'flow' }, undefined)
      await untilRow(
        world,
        handle.getTaskExecutionId(),
        (row) => row.status === 'ready' && row.startedAt !== undefined,
      )
      await world.until(old.shutdown())
      const deployed = define(false)
      await world.until(deployed.start())
      const end = await world.finish(
        await deployed.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId()),
      )
      assert.match(
        end.status === 'failed' ? end.error.message : '',
        /remembers "pause" as a step, and the code asks for a sleep of that name\. Give the new call another name/,
      )
    },
  ),
]
