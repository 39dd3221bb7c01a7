/** Clients lie ready for a moment, and are lost to nobody: not to the pool, to those who wait for one, nor to an error. */

import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { type PostgresPoolClient } from './driver.ts'
import { type CountingPool, KeptClients } from './kept-clients.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

class FakeClient extends EventEmitter {
  readonly released: Array<unknown> = []

  release(error?: unknown): void {
    this.released.push(error)
  }
}

function fakePool(): {
  pool: EventEmitter & { waitingCount: number }
  kept: KeptClients
  connect: () => FakeClient & PostgresPoolClient
} {
  const pool = Object.assign(new EventEmitter(), { waitingCount: 0 })
  const kept = new KeptClients(pool as unknown as CountingPool)
  const connect = (): FakeClient & PostgresPoolClient => {
    const client = new FakeClient()
    pool.emit('connect', client)
    return client as unknown as FakeClient & PostgresPoolClient
  }
  return { pool, kept, connect }
}

test('what was given back last is taken first', () => {
  const { kept, connect } = fakePool()
  const [first, last] = [connect(), connect()]
  expect(kept.take()).toBeUndefined()
  kept.giveBack(first, false)
  kept.giveBack(last, false)
  expect(kept.take()).toBe(last)
  expect(kept.take()).toBe(first)
  expect(kept.take()).toBeUndefined()
  expect([...first.released, ...last.released]).toEqual([])
})

test('what nobody uses goes back to the pool soon, and what is used stays', () => {
  const { kept, connect } = fakePool()
  const [unused, used] = [connect(), connect()]
  kept.giveBack(unused, false)
  kept.giveBack(used, false)
  for (let look = 0; look < 5; look += 1) {
    expect(kept.take()).toBe(used)
    kept.giveBack(used, false)
    vi.advanceTimersByTime(100)
  }
  expect(unused.released).toEqual([undefined])
  expect(used.released).toEqual([])
  vi.advanceTimersByTime(200)
  expect(used.released).toEqual([undefined])
  // Then nothing is looked at any more.
  expect(vi.getTimerCount()).toBe(0)
  expect(kept.take()).toBeUndefined()
})

test('what others wait for goes to them', () => {
  const { pool, kept, connect } = fakePool()
  const client = connect()
  pool.waitingCount = 1
  kept.giveBack(client, false)
  expect(client.released).toEqual([undefined])
})

test('what is broken is closed, whoever says so', () => {
  const { kept, connect } = fakePool()
  const [broken, lostWhileLent, lostWhileKept, well] = [connect(), connect(), connect(), connect()]
  kept.giveBack(broken, true)
  lostWhileLent.emit('error', new Error('lost'))
  kept.giveBack(lostWhileLent, false)
  kept.giveBack(lostWhileKept, false)
  kept.giveBack(well, false)
  lostWhileKept.emit('error', new Error('lost'))
  lostWhileKept.emit('error', new Error('lost again'))
  expect([broken, lostWhileLent, lostWhileKept].map(({ released }) => released)).toEqual([
    [true],
    [true],
    [true],
  ])
  expect(kept.take()).toBe(well)
  expect(kept.take()).toBeUndefined()
})

test('once closed it keeps nothing', () => {
  const { kept, connect } = fakePool()
  const [before, after] = [connect(), connect()]
  kept.giveBack(before, false)
  kept.close()
  kept.giveBack(after, false)
  expect([before.released, after.released]).toEqual([[undefined], [undefined]])
  expect(vi.getTimerCount()).toBe(0)
})
