/** Cases: code of several branches, or that went on after a refusal, finds out how to undo all that it registered. */

import assert from 'node:assert/strict'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { compensationOf } from './cases-compensating.ts'
import { type Run, started } from './durable-lives.ts'
import { type EngineWorld } from './world.ts'

export const UNDOING_BRANCHES_RULES: Record<string, string> = {
  'compensation.branches':
    'A branch that waits, or has ended the function, keeps no other from being undone.',
  'compensation.refused': 'Code that went on after a call was refused is undone as far as it came.',
  'compensation.missed':
    'What was registered, and is not found when the function is run again, makes the undoing fail, after the rest was undone, where the storage can list what is remembered.',
}

/** Runs what fails, and gives how undoing it ended. */
async function undoneOf(
  world: EngineWorld,
  run: Run,
): Promise<Pick<Awaited<ReturnType<typeof compensationOf>>, 'status' | 'error'>> {
  const { executor, flow } = await started(world, run)
  const handle = await executor.enqueueTask(flow, undefined)
  assert.equal((await world.finish(handle)).status, 'failed')
  return await compensationOf(world, handle.getTaskExecutionId())
}

export const UNDOING_BRANCHES_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'compensation.branches',
    'while one branch waits for ever another one fails, and what both did is undone',
    async (world) => {
      const log: Array<string> = []
      const { status } = await undoneOf(world, async (ctx) => {
        await Promise.all([
          ctx.waitForSignal('never'),
          (async () => {
            await ctx.compensate('undo c', () => void log.push('undo c'))
            await ctx.sleep('for ever', 1_000_000_000)
          })(),
          (async () => {
            await ctx.step('a', () => log.push('a'))
            await ctx.compensate('undo a', () => void log.push('undo a'))
            await ctx.step('b', () => log.push('b'))
            await ctx.compensate('undo b', () => void log.push('undo b'))
            throw new Error('broken')
          })(),
        ])
      })
      assert.equal(status, 'completed')
      assert.deepEqual(log.slice(0, 3), ['a', 'b', 'undo b'])
      assert.deepEqual(log.slice(3).toSorted(), ['undo a', 'undo c'])
    },
  ),

  engineCase(
    'compensation.branches',
    'what another branch did until the function ended is undone, though the end comes sooner the second time',
    async (world) => {
      const log: Array<string> = []
      const { status } = await undoneOf(world, async (ctx) => {
        await Promise.all([
          ctx.step('bad', async () => {
            await new Promise<void>((resolve) => {
              world.clock.setTimer(500, resolve)
            })
            throw new Error('broken')
          }),
          (async () => {
            for (const part of ['a', 'b']) {
              await ctx.compensate(`undo ${part}`, () => void log.push(`undo ${part}`))
              await ctx.step(part, () => log.push(part))
            }
            await ctx.sleep('for ever', 1_000_000_000)
          })(),
        ])
      })
      assert.equal(status, 'completed')
      assert.deepEqual(log, ['a', 'b', 'undo b', 'undo a'])
    },
  ),

  engineCase(
    'compensation.refused',
    'a refusal that was caught is one again, and what came after it is undone',
    async (world) => {
      const log: Array<string> = []
      const { status } = await undoneOf(world, async (ctx) => {
        const refused: Array<() => Promise<unknown>> = [
          async () => await ctx.runTask({ id: 'nobody' }, 1),
          async () => await ctx.runTasks([null] as never),
          async () => await ctx.runTask({ id: 'flow' }, () => 1),
          async () => await ctx.sleep('nap', NaN),
          async () => await ctx.step('none', undefined as never),
          async () => await ctx.step('', () => 1),
          async () => await ctx.waitForSignal('odd', 7 as never),
          async () => await ctx.compensate('odd', 7 as never),
          async () => await ctx.setState(() => 1),
        ]
        for (const [index, call] of refused.entries()) {
          await call().catch(async () => {
            await ctx.compensate(`undo ${index}`, () => void log.push(`undo ${index}`))
          })
        }
        throw new Error('broken')
      })
      assert.equal(status, 'completed')
      assert.deepEqual(
        log,
        [8, 7, 6, 5, 4, 3, 2, 1, 0].map((index) => `undo ${index}`),
      )
    },
  ),

  engineCase(
    'compensation.missed',
    'a function that goes another way the second time is told of',
    async (world) => {
      const log: Array<string> = []
      let runs = 0
      const { status, error } = await undoneOf(world, async (ctx) => {
        runs += 1
        await ctx.compensate('undo a', () => void log.push('undo a'))
        if (runs === 1) {
          await ctx.compensate('undo b', () => void log.push('undo b'))
        }
        throw new Error('broken')
      })
      assert.deepEqual(log, ['undo a'])
      const isListed = await world.storage.withTransaction((tx) =>
        Promise.resolve(tx.getTaskExecutionsInIdRanges !== undefined),
      )
      if (!isListed) {
        // It cannot be known then what there is.
        assert.equal(status, 'completed')
        return
      }
      assert.equal(status, 'failed')
      assert.match(
        error?.message ?? '',
        /^Execution te_\w+ registered 2 compensations, and its function came to 1 of them when it was run again/,
      )
    },
  ),
]
