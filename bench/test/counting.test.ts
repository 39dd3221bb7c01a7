import { DatabaseSync } from 'node:sqlite'

import { expect, test } from 'vitest'

import { createInMemoryStorage } from 'durable-execution'

import { countTransactions } from '../src/engines/counting-storage.ts'
import { countSqliteStatements } from '../src/engines/counting-sqlite.ts'

test('in memory a transaction counts that calls an operation, and one that calls nothing does not', async () => {
  const { counted, asked } = countTransactions(createInMemoryStorage())
  await counted.withTransaction(() => Promise.resolve())
  expect(asked()).toEqual({ transactions: 0 })
  await counted.withTransaction(async (tx) => {
    await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: ['ready'] }, 1)
    await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: ['running'] }, 1)
  })
  expect(asked()).toEqual({ transactions: 1 })
})

test('on SQLite every statement counts, each BEGIN as a transaction, and change checks by themselves', () => {
  const asked = countSqliteStatements()
  const database = new DatabaseSync(':memory:')
  database.exec('create table numbers (number integer)')
  const insert = database.prepare('insert into numbers values (?)')
  database.exec('begin immediate')
  insert.run(1)
  insert.run(2)
  database.exec('commit')
  expect(asked()).toEqual({ transactions: 2, statements: 5, changeChecks: 0 })
  insert.run(3)
  expect(database.prepare('select number from numbers').all()).toHaveLength(3)
  database.prepare('pragma data_version').all()
  expect(asked()).toEqual({ transactions: 4, statements: 7, changeChecks: 1 })
  database.close()
})
