import { describe, expect, it } from 'vitest'

import { type Holder, Locks } from './locks.ts'

const deadlock = (): Error => new Error('deadlock')
const ended = (): Error => new Error('ended')
const holder = (name: string): Holder => ({ name })

/** What became of a promise by now. */
async function stateOf(promise: Promise<void>): Promise<string> {
  let state = 'waits'
  promise.then(
    () => (state = 'has it'),
    (error: Error) => (state = error.message),
  )
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
  return state
}

describe('row locks', () => {
  it('are taken at once, and again by whoever has them', async () => {
    const [locks, one] = [new Locks(), holder('one')]
    expect(await stateOf(locks.take('row', one, deadlock))).toBe('has it')
    expect(await stateOf(locks.take('row', one, deadlock))).toBe('has it')
  })

  it('are waited for in the order of asking', async () => {
    const [locks, one, two, three] = [new Locks(), holder('one'), holder('two'), holder('three')]
    await locks.take('row', one, deadlock)
    const [second, third] = [locks.take('row', two, deadlock), locks.take('row', three, deadlock)]
    expect(await stateOf(second)).toBe('waits')
    locks.release(one, ended)
    expect(await stateOf(second)).toBe('has it')
    expect(await stateOf(third)).toBe('waits')
    locks.release(two, ended)
    expect(await stateOf(third)).toBe('has it')
  })

  it('refuse whoever closes a circle of waiting, and leave the others waiting', async () => {
    const [locks, one, two, three] = [new Locks(), holder('one'), holder('two'), holder('three')]
    await locks.take('a', one, deadlock)
    await locks.take('b', two, deadlock)
    await locks.take('c', three, deadlock)
    const [first, second] = [locks.take('b', one, deadlock), locks.take('c', two, deadlock)]
    expect(await stateOf(locks.take('a', three, deadlock))).toBe('deadlock')
    expect(await stateOf(first)).toBe('waits')
    locks.release(three, ended)
    expect(await stateOf(second)).toBe('has it')
  })

  it('count those who wait before somebody for the same as in his way', async () => {
    const [locks, one, two, three] = [new Locks(), holder('one'), holder('two'), holder('three')]
    await locks.take('a', one, deadlock)
    await locks.take('b', three, deadlock)
    const second = locks.take('a', two, deadlock)
    const third = locks.take('a', three, deadlock)
    expect(await stateOf(locks.take('b', two, deadlock))).toBe('deadlock')
    locks.release(one, ended)
    expect(await stateOf(second)).toBe('has it')
    expect(await stateOf(third)).toBe('waits')
  })

  it('say to whoever waits and is ended that it was', async () => {
    const [locks, one, two] = [new Locks(), holder('one'), holder('two')]
    await locks.take('row', one, deadlock)
    const waiting = locks.take('row', two, deadlock)
    locks.release(two, ended)
    expect(await stateOf(waiting)).toBe('ended')
    expect(locks.isHeldByOther('row', two)).toBe(true)
  })
})
