/** What a process hears of its storage once it is dead: nothing. */

import { expect, test } from 'vitest'

import { createInMemoryStorage } from '../index.ts'
import { rowOf } from './conformance/rows.ts'
import { createMortalStorage } from './mortal-storage.ts'

const nextTurn = async (): Promise<void> => {
  await new Promise<void>((resolve) => {
    setImmediate(resolve)
  })
}

test('a call under way at the death is done, and answered to nobody; a later one is not done', async () => {
  const inner = createInMemoryStorage()
  const { storage, die, isDead } = createMortalStorage(inner)
  const answers: Array<string> = []
  const insert = (id: string): void => {
    void storage
      .withTransaction(async (tx) => await tx.insertTaskExecutions([rowOf(id)]))
      .then(
        () => answers.push(`${id} is in`),
        () => answers.push(`${id} failed`),
      )
  }
  insert('te_alive')
  await nextTurn()
  expect(answers).toEqual(['te_alive is in'])
  insert('te_under_way')
  insert('te_alive')
  die()
  insert('te_later')
  await nextTurn()
  expect(isDead()).toBe(true)
  expect(answers).toEqual(['te_alive is in'])
  const found = await inner.withTransaction(
    async (tx) => await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: ['ready'] }),
  )
  expect(found).toEqual(['te_alive', 'te_under_way'])
})

test('calls are counted until they are answered, well or badly', async () => {
  const { storage, callsUnderWay } = createMortalStorage(createInMemoryStorage())
  const good = storage.withTransaction(async () => await nextTurn())
  const bad = storage.withTransaction(() => Promise.reject(new Error('no')))
  expect(callsUnderWay()).toBe(2)
  await good
  await expect(bad).rejects.toThrow('no')
  expect(callsUnderWay()).toBe(0)
})
