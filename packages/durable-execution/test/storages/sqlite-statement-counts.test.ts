/** How few statements and transactions the work of an executor takes on SQLite. */

import { mkdtempSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { createSqliteStorage, type SqliteStorage } from '../../src/storage/sqlite/index.ts'
import { countOf, type Sent, sentForFanOut, sentForPlainTasks } from './statement-counts.ts'

function openCounted(): { storage: SqliteStorage; sent: Sent } {
  const folder = mkdtempSync(join(tmpdir(), 'durable-execution-'))
  const database = new DatabaseSync(join(folder, 'tasks.db'))
  const sent: Sent = []
  const prepare = database.prepare.bind(database)
  database.prepare = (sql) => {
    const statement = prepare(sql)
    for (const name of ['run', 'all'] as const) {
      const perform = statement[name].bind(statement) as (...values: Array<never>) => never
      statement[name] = (...values: Array<never>) => {
        sent.push(sql)
        return perform(...values)
      }
    }
    return statement
  }
  onTestFinished(() => {
    database.close()
    rmSync(folder, { recursive: true })
  })
  return { storage: createSqliteStorage({ database }), sent }
}

test('200 plain tasks are one transaction to insert, one to claim and two at most to settle', async () => {
  const { storage, sent } = openCounted()
  const { enqueueing, running } = await sentForPlainTasks(storage, sent, 200)
  expect([countOf(enqueueing, 'begin'), countOf(enqueueing, 'insert')]).toEqual([1, 4])
  const claims = running.filter((text) => text.includes('returning')).length
  expect(claims).toBeLessThanOrEqual(2)
  // A later claim looks for more, and finds that nothing is ready.
  expect(countOf(running, 'begin')).toBeLessThanOrEqual(4)
  expect(countOf(running, 'update') - claims).toBe(201)
})

test('1,000 children are inserted by 20 statements in one transaction', async () => {
  const { storage, sent } = openCounted()
  const all = await sentForFanOut(storage, sent, 1_000)
  const inserts = [...all.keys()].filter((index) =>
    all[index]?.startsWith('insert into durable_execution_executions'),
  )
  expect(inserts).toHaveLength(20)
  expect(countOf(all.slice(inserts[0], inserts.at(-1)), 'commit')).toBe(0)
})
