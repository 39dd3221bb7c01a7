/** Cases: what runs again when the process dies that runs durable code. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR } from './durable-lives.ts'
import { untilTrue } from './lives.ts'
import { type EngineWorld } from './world.ts'

export const CODE_CRASH_RULES: Record<string, string> = {
  'code.crashes':
    'After a crash the function runs again, over what it remembers: a step is done again only if its result was not stored.',
}

/** Where a process may die, and what is done in all then, by it and by whoever takes over. */
const PLACES: Record<string, string> = {
  'before a step': 'a b c',
  'in a step': 'a a b c',
  'while the result of a step is being stored': 'a b c',
  'between two steps': 'a b c',
  'in a sleep': 'a b c',
  'after a sleep': 'a b c',
  'before the outcome': 'a b c',
  'after the outcome': 'a b c',
}

type Life = { done: Map<string, Array<string>>; runs: Map<string, number>; stuckAt: Set<string> }

const newLife = (): Life => ({ done: new Map(), runs: new Map(), stuckAt: new Set() })

/** A task that is stuck where its input says, if it is run by a process that is to die. */
function defineFlow(executor: DurableExecutor, life: Life, isMortal: boolean): void {
  executor.task({
    id: 'flow',
    timeoutMs: HOUR,
    run: async (ctx, place: string) => {
      life.runs.set(place, (life.runs.get(place) ?? 0) + 1)
      const here = async (name: string): Promise<void> => {
        if (isMortal && name === place) {
          life.stuckAt.add(place)
          await new Promise(() => {})
        }
      }
      const work = (name: string): number => {
        const done = life.done.get(place) ?? []
        life.done.set(place, [...done, name])
        return done.length
      }
      await here('before a step')
      await ctx.step('a', async () => {
        work('a')
        await here('in a step')
      })
      await here('between two steps')
      await ctx.step('b', () => work('b'))
      await ctx.sleep('nap', place === 'in a sleep' ? 20_000 : 2_000)
      await here('after a sleep')
      await ctx.step('c', () => work('c'))
      await here('before the outcome')
      return place
    },
  })
}

const LOST = 'while the result of a step is being stored'

/** Lets a process begin an execution for each place, and die when each is where it is to be. Gives their ids. */
async function liveAndDie(world: EngineWorld, life: Life): Promise<Map<string, string>> {
  const storage = createFaultyStorage(world.storage)
  const executor = world.newExecutor({ storage, expireMs: 4_000 })
  defineFlow(executor, life, true)
  await world.until(executor.start())
  const ids = new Map<string, string>()
  const begin = async (place: string): Promise<void> => {
    const handle = await executor.enqueueTask<string, string>({ id: 'flow' }, place)
    ids.set(place, handle.getTaskExecutionId())
  }
  // The result of the step is committed, and nobody hears of that.
  storage.failAtCommitWhen(({ calls }) => {
    if (!JSON.stringify(calls).includes(`${ids.get(LOST)}:b:1`)) {
      return undefined
    }
    life.stuckAt.add(LOST)
    return 'hang'
  })
  // Alone, since what is written together hangs together.
  await begin(LOST)
  await untilTrue(world, () => life.stuckAt.size === 1)
  for (const place of Object.keys(PLACES).filter((one) => one !== LOST)) {
    await begin(place)
  }
  const ended = ids.get('after the outcome') ?? ''
  await world.finish(await executor.getTaskHandle<string, string>({ id: 'flow' }, ended))
  await untilTrue(world, () => life.stuckAt.size === ids.size - 2)
  world.kill(executor)
  return ids
}

export const CODE_CRASH_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'code.crashes',
    'a process dies at each place of its code at once, and another one does what is left',
    async (world) => {
      const life = newLife()
      const ids = await liveAndDie(world, life)
      const runsBefore = new Map(life.runs)
      const other = world.newExecutor({ expireMs: 4_000 })
      defineFlow(other, life, false)
      await world.until(other.start())
      for (const [place, id] of ids) {
        const handle = await other.getTaskHandle<string, string>({ id: 'flow' }, id)
        const end = await world.finish(handle)
        assert.equal(end.status === 'completed' && end.output, place)
        assert.equal(end.retryAttempts, 0)
        assert.equal(life.done.get(place)?.join(' '), PLACES[place], place)
        const isRunAgain = (life.runs.get(place) ?? 0) > (runsBefore.get(place) ?? 0)
        assert.equal(isRunAgain, place !== 'after the outcome', place)
      }
    },
  ),
]
