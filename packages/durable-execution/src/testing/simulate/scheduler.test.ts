import { describe, expect, it } from 'vitest'

import { chanceOf } from './chance.ts'
import { Scheduler } from './scheduler.ts'

async function run(scheduler: Scheduler, until: number = Infinity): Promise<void> {
  while (await scheduler.step(until)) {
    // One after the other.
  }
}

describe('the scheduler', () => {
  it('lets what one source has due happen in the order of time, then of asking', async () => {
    const scheduler = new Scheduler(chanceOf('order'))
    const source = scheduler.newSource('one')
    const seen: Array<string> = []
    scheduler.after(source, 5, 'late', () => seen.push('late'))
    scheduler.after(source, 1, 'first', () => seen.push('first'))
    scheduler.after(source, 1, 'second', () => seen.push('second'))
    await run(scheduler)
    expect(seen).toEqual(['first', 'second', 'late'])
    expect(scheduler.now).toBe(5)
  })

  it('lets what several sources have due at once happen in an order that the seed says', async () => {
    const orderOf = async (seed: string): Promise<string> => {
      const scheduler = new Scheduler(chanceOf(seed))
      const seen: Array<string> = []
      for (const name of ['a', 'b', 'c', 'd', 'e']) {
        scheduler.after(scheduler.newSource(name), 0, name, () => seen.push(name))
      }
      await run(scheduler)
      return seen.join('')
    }
    expect(await orderOf('1')).toBe(await orderOf('1'))
    const orders = await Promise.all(['1', '2', '3', '4', '5', '6'].map(orderOf))
    expect(new Set(orders).size).toBeGreaterThan(1)
  })

  it('goes no further than it is told, and knows what is left', async () => {
    const scheduler = new Scheduler(chanceOf('until'))
    const seen: Array<number> = []
    const source = scheduler.newSource('one')
    ;[1, 2, 3].forEach((ms) => scheduler.after(source, ms, 'event', () => seen.push(ms)))
    await run(scheduler, 2)
    expect(seen).toEqual([1, 2])
    await run(scheduler)
    expect(seen).toEqual([1, 2, 3])
  })

  it('holds back a source that stands still, and forgets one that is dead', async () => {
    const scheduler = new Scheduler(chanceOf('held'))
    const [still, dead, other] = ['still', 'dead', 'other'].map((name) => scheduler.newSource(name))
    const seen: Array<string> = []
    for (const source of [still, dead, other]) {
      if (source !== undefined) {
        scheduler.after(source, 1, source.name, () => seen.push(`${source.name} at ${scheduler.now}`))
      }
    }
    if (still !== undefined && dead !== undefined) {
      still.heldUntil = 10
      scheduler.remove(dead)
    }
    await run(scheduler)
    expect(seen).toEqual(['other at 1', 'still at 10'])
  })

  it('does nothing that was cancelled', async () => {
    const scheduler = new Scheduler(chanceOf('cancelled'))
    const seen: Array<string> = []
    scheduler.after(scheduler.newSource('one'), 1, 'event', () => seen.push('event')).isCancelled = true
    await run(scheduler)
    expect(seen).toEqual([])
  })
})
