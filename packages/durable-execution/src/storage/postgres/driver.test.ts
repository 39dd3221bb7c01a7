import { expect, test } from 'vitest'

import { Loan } from './connections.ts'
import { ask, type PostgresPoolClient } from './driver.ts'

type Query = PostgresPoolClient['query']

const ANSWER = { command: 'SELECT', rows: [[1]] }

const answering: ReadonlyArray<readonly [how: string, query: Query]> = [
  ['by the callback', (_, callback) => callback(null, ANSWER)],
  ['by a promise alone', () => Promise.resolve(ANSWER)],
  [
    'by the callback through an async wrapper',
    async (_, callback) => {
      await Promise.resolve()
      setImmediate(() => callback(null, ANSWER))
    },
  ],
  [
    'by both',
    (_, callback) => {
      callback(undefined, ANSWER)
      return Promise.resolve({ command: 'SELECT', rows: [] })
    },
  ],
  ['to several statements', (_, callback) => callback(null, [{ command: 'BEGIN', rows: [] }, ANSWER])],
]

test.for(answering)('a client that answers %s is heard', async ([, query]) => {
  expect(await ask({ query }, 'select 1')).toEqual(ANSWER)
})

const failing: ReadonlyArray<readonly [how: string, query: Query]> = [
  ['by the callback', (_, callback) => callback(new Error('refused'), undefined)],
  ['by a promise', () => Promise.reject(new Error('refused'))],
  [
    'at once',
    () => {
      throw new Error('refused')
    },
  ],
]

test.for(failing)('what a client says %s of a failure is passed on', async ([, query]) => {
  await expect(ask({ query }, 'select 1')).rejects.toThrow('refused')
})

test('a statement without an answer is given up after its time', async () => {
  const client = { query: () => {}, on: () => {}, off: () => {}, release: () => {} }
  await expect(new Loan(client, 5).ask('select 1')).rejects.toThrow('The server did not answer within 5 ms')
})
