import { expect, test } from 'vitest'

import { createInMemoryStorage, type DurableStorageChangeHint } from '../index.ts'
import { type Effects, NO_EFFECTS } from '../store/effects.ts'
import { createTestClock } from '../testing/index.ts'
import { Telling } from './telling.ts'

const quiet = { debug: (): void => {}, info: (): void => {}, error: (): void => {} }
const finished = (...finishedIds: Array<string>): Effects => ({ ...NO_EFFECTS, finishedIds })
const ready: Effects = { ...NO_EFFECTS, readyAtMs: 0, lastReadyAtMs: 0 }

function createTelling(): {
  telling: Telling
  sent: Array<DurableStorageChangeHint>
  clock: ReturnType<typeof createTestClock>
} {
  const sent: Array<DurableStorageChangeHint> = []
  const clock = createTestClock()
  const storage = {
    ...createInMemoryStorage(),
    notifyChange: (hint: DurableStorageChangeHint): Promise<void> => {
      sent.push(hint)
      return Promise.resolve()
    },
  }
  return { telling: new Telling(storage, clock, quiet), sent, clock }
}

test('what somebody may be waiting for is told at once', async () => {
  const { telling, sent, clock } = createTelling()
  telling.tell(ready, true)
  await clock.advance(20)
  telling.tell(finished('te_1'), true)
  expect(sent).toEqual([
    { ready: true, executionIds: [] },
    { ready: false, executionIds: ['te_1'] },
  ])
})

test('under load ends are told 50 times a second, and work 200 times', async () => {
  const { telling, sent, clock } = createTelling()
  const told = async (effects: Effects): Promise<number> => {
    const before = sent.length
    for (let ms = 0; ms < 1_000; ms += 1) {
      telling.tell(effects, true)
      await clock.advance(1)
    }
    return sent.length - before
  }
  expect(Math.abs((await told(finished('te_1'))) - 50)).toBeLessThanOrEqual(1)
  expect(Math.abs((await told(ready)) - 200)).toBeLessThanOrEqual(1)
})

test('what nobody is likely to wait for is told within 20 ms, all as one', async () => {
  const { telling, sent, clock } = createTelling()
  telling.tell(ready, false)
  await clock.advance(15)
  telling.tell(finished('te_1'), false)
  telling.tell(finished('te_2'), false)
  expect(sent).toEqual([])
  await clock.advance(5)
  expect(sent).toEqual([{ ready: true, executionIds: ['te_1', 'te_2'] }])
  await clock.advance(100)
  expect(sent).toHaveLength(1)
})

test('what waits goes with what is told at once', async () => {
  const { telling, sent, clock } = createTelling()
  telling.tell(finished('te_1'), false)
  telling.tell(ready, true)
  await clock.advance(100)
  expect(sent).toEqual([{ ready: true, executionIds: ['te_1'] }])
})

test('what changes nothing for others is not told', async () => {
  const { telling, sent, clock } = createTelling()
  telling.tell(NO_EFFECTS, true)
  telling.flush()
  await clock.advance(100)
  expect(sent).toEqual([])
})
