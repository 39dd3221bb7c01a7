/** What counts of the effects that a process records. */

import { expect, test } from 'vitest'

import { type TestKitError } from '../kit-error.ts'
import { createOutside, Ledger, type Outside } from './outside.ts'

type Process = {
  isDead: boolean
  isOver: boolean
  isAtWork: boolean
  passed: Array<string>
  late: Array<TestKitError>
}

function createProcess(ledger: Ledger): { outside: Outside; process: Process } {
  const process: Process = { isDead: false, isOver: false, isAtWork: true, passed: [], late: [] }
  const outside = createOutside(ledger, {
    isDead: () => process.isDead,
    isOver: () => process.isOver,
    isAtWork: () => process.isAtWork,
    onEffect: (moment, name) => process.passed.push(`${moment} ${name}`),
    onLate: (error) => process.late.push(error),
  })
  return { outside, process }
}

/** Whether the promise is settled once everything else is done. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let isOver = false
  void promise.then(
    () => (isOver = true),
    () => (isOver = true),
  )
  await new Promise<void>((resolve) => {
    setImmediate(resolve)
  })
  return isOver
}

test('two processes share one outside, and a key counts in both', async () => {
  const ledger = new Ledger()
  const [first, second] = [createProcess(ledger), createProcess(ledger)]
  await first.outside.record('charged', { amount: 1 }, { key: 'a' })
  expect(await second.outside.record('charged', { amount: 2 }, { key: 'a' })).toEqual({ amount: 1 })
  await second.outside.record('charged', { amount: 3 })
  await second.outside.record('mailed', { amount: 4 }, { key: 'a' })
  expect(first.outside.recorded('charged')).toEqual([
    { name: 'charged', details: { amount: 1 }, key: 'a' },
    { name: 'charged', details: { amount: 3 } },
  ])
  expect(first.outside.recorded()).toHaveLength(3)
})

test('what a dead process records is done by nobody, and never answered', async () => {
  const ledger = new Ledger()
  const { outside, process } = createProcess(ledger)
  process.isDead = true
  expect(await isSettled(outside.record('charged'))).toBe(false)
  expect(ledger.effects).toEqual([])
  expect(process.passed).toEqual([])
})

test('what is given and what is told are copies', async () => {
  const ledger = new Ledger()
  const { outside } = createProcess(ledger)
  const details = { amounts: [1] }
  const answer = await outside.record('charged', details)
  details.amounts.push(2)
  answer.amounts.push(3)
  outside.recorded().pop()
  expect(ledger.effects).toEqual([{ name: 'charged', details: { amounts: [1] } }])
})

test('an effect outside of a function, or after the run, is reported and does not count', async () => {
  const ledger = new Ledger()
  const { outside, process } = createProcess(ledger)
  process.isAtWork = false
  expect(await isSettled(outside.record('early'))).toBe(false)
  process.isAtWork = true
  process.isOver = true
  expect(await isSettled(outside.record('late'))).toBe(false)
  expect(process.late.map(({ message }) => message.slice(0, 14))).toEqual([
    'Effect "early"',
    'Effect "late" ',
  ])
  expect(ledger.effects).toEqual([])
})
