/** Which steps of the schema are due, and what is refused. */

import { expect, test } from 'vitest'

import { assertMigrated, dueMigrations } from './migrations.ts'

const MIGRATIONS = [
  { version: 1, statements: ['one'] },
  { version: 2, statements: ['two'] },
]

test('an empty database needs every step', () => {
  expect(dueMigrations(MIGRATIONS, null)).toEqual(MIGRATIONS)
})

test('a database needs the steps after its version', () => {
  expect(dueMigrations(MIGRATIONS, 1)).toEqual([MIGRATIONS[1]])
})

test('a database that is up to date needs none', () => {
  expect(dueMigrations(MIGRATIONS, 2)).toEqual([])
})

test('a database of a newer library is refused, with what to do', () => {
  expect(() => dueMigrations(MIGRATIONS, 3)).toThrow(
    'The database has schema version 3, and this library knows versions up to 2. ' +
      'A newer durable-execution has migrated it: update durable-execution in this program.',
  )
})

test('a program that migrates by itself is told that the tables are missing', () => {
  expect(() => assertMigrated(MIGRATIONS, null)).toThrow(
    'The database has no tables of durable-execution, and this library needs version 2.',
  )
})

test('a program that migrates by itself is told that the tables are old', () => {
  expect(() => assertMigrated(MIGRATIONS, 1)).toThrow(
    'has schema version 1, and this library needs version 2',
  )
})

test('a program that migrates by itself is refused a newer schema', () => {
  expect(() => assertMigrated(MIGRATIONS, 3)).toThrow('knows versions up to 2')
})

test('a program that migrates by itself goes on with the right schema', () => {
  expect(() => assertMigrated(MIGRATIONS, 2)).not.toThrow()
})
