/** One turn at a time, in the order of asking. */

import { expect, test } from 'vitest'

import { createTransactionMutex } from './mutex.ts'

test('the first turn comes at once', async () => {
  await expect(createTransactionMutex().acquire()).resolves.toBeUndefined()
})

test('nobody else gets a turn before the release', async () => {
  const mutex = createTransactionMutex()
  const events: Array<string> = []
  await mutex.acquire()
  const second = mutex.acquire().then(() => events.push('second'))
  // More turns of the microtask queue than a wrongly given turn would need.
  for (let turn = 0; turn < 10; turn += 1) {
    await Promise.resolve()
  }
  events.push('released')
  mutex.release()
  await second
  expect(events).toEqual(['released', 'second'])
})

test('turns never overlap, whatever throws in them', async () => {
  const mutex = createTransactionMutex()
  let inside = 0
  let most = 0
  const turn = async (isBroken: boolean): Promise<void> => {
    await mutex.acquire()
    try {
      inside += 1
      most = Math.max(most, inside)
      await Promise.resolve()
      if (isBroken) {
        throw new Error('broken')
      }
    } finally {
      inside -= 1
      mutex.release()
    }
  }
  await Promise.allSettled(Array.from({ length: 100 }, (_, index) => turn(index % 3 === 0)))
  expect([most, inside]).toEqual([1, 0])
})

test('it is free again when all have had their turn', async () => {
  const mutex = createTransactionMutex()
  await mutex.acquire()
  const second = mutex.acquire()
  mutex.release()
  await second
  mutex.release()
  await expect(mutex.acquire()).resolves.toBeUndefined()
})

test('a hundred thousand who wait come in the order of asking', async () => {
  const mutex = createTransactionMutex()
  const order: Array<number> = []
  await Promise.all(
    Array.from({ length: 100_000 }, async (_, index) => {
      await mutex.acquire()
      order.push(index)
      mutex.release()
    }),
  )
  expect(order.every((value, index) => value === index)).toBe(true)
})

test('those who come while others wait come after them', async () => {
  const mutex = createTransactionMutex()
  const order: Array<string> = []
  const turn = async (name: string): Promise<void> => {
    await mutex.acquire()
    order.push(name)
    mutex.release()
  }
  await mutex.acquire()
  const early = Array.from({ length: 1_500 }, (_, index) => turn(`early ${index}`))
  mutex.release()
  await early[1_200]
  const late = turn('late')
  await Promise.all([...early, late])
  expect(order.at(-1)).toBe('late')
})
