/** Transactions are kept whole or not at all, whatever happens in them. */

import { mkdtempSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import Better from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'

import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../../machine/execution.ts'
import { type DurableStorageTx } from '../contract.ts'
import { createSqliteStorage, type SqliteStorage } from './index.ts'

const ONE_CALL = { oneCall: true }

const row = (executionId: string, runInput: string = ''): ExecutionRow =>
  createDurableTaskExecutionStorageObject({
    now: new Date(0),
    taskId: 'task',
    executionId,
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 1_000,
    runInput,
  })

const readIds = async (tx: DurableStorageTx): Promise<Array<string>> =>
  await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: ['ready'] })

describe.each(['node:sqlite', 'better-sqlite3'])('with %s', (library) => {
  type Database = DatabaseSync | Better.Database
  const open = (): { storage: SqliteStorage; database: Database; other: Database } => {
    const folder = mkdtempSync(join(tmpdir(), 'durable-execution-'))
    const path = join(folder, 'tasks.db')
    const [database, other]: [Database, Database] =
      library === 'node:sqlite'
        ? [new DatabaseSync(path), new DatabaseSync(path)]
        : [new Better(path), new Better(path, { timeout: 0 })]
    onTestFinished(() => {
      database.close()
      other.close()
      rmSync(folder, { recursive: true })
    })
    return { storage: createSqliteStorage({ database }), database, other }
  }

  test('a function that throws leaves nothing, and its own error is passed on', async () => {
    const { storage } = open()
    const reason = new Error('no')
    const failing = storage.withTransaction(async (tx) => {
      await tx.insertTaskExecutions([row('a')])
      throw reason
    })
    await expect(failing).rejects.toBe(reason)
    expect(await storage.withTransaction(readIds)).toEqual([])
  })

  test('a function that throws at once rejects, and the next transaction goes on', async () => {
    const { storage } = open()
    const failing = storage.withTransaction(() => {
      throw new Error('at once')
    }, ONE_CALL)
    await expect(failing).rejects.toThrow('at once')
    expect(await storage.withTransaction(readIds, ONE_CALL)).toEqual([])
  })

  test('transactions of one storage run one after another', async () => {
    const { storage } = open()
    const seen = await Promise.all(
      ['a', 'b', 'c'].map(
        async (id) =>
          await storage.withTransaction(async (tx) => {
            await tx.insertTaskExecutions([row(id)])
            await Promise.resolve()
            return await readIds(tx)
          }),
      ),
    )
    expect(seen).toEqual([['a'], ['a', 'b'], ['a', 'b', 'c']])
  })

  test('a transaction that has ended cannot be used', async () => {
    const { storage } = open()
    const tx = await storage.withTransaction(async (tx) => tx)
    expect(() => tx.insertTaskExecutions([row('a')])).toThrow('The transaction has ended')
  })

  test('a transaction that failed cannot be used either', async () => {
    const { storage } = open()
    let kept: DurableStorageTx | undefined
    const failing = storage.withTransaction(async (tx) => {
      kept = tx
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(() => kept?.insertTaskExecutions([row('a')])).toThrow('The transaction has ended')
  })

  test('one call is kept', async () => {
    const { storage } = open()
    await storage.withTransaction(async (tx) => await tx.insertTaskExecutions([row('a')]), ONE_CALL)
    expect(await storage.withTransaction(readIds, ONE_CALL)).toEqual(['a'])
  })

  test('one call that nobody awaited is kept', async () => {
    const { storage } = open()
    await storage.withTransaction(async (tx) => {
      void tx.insertTaskExecutions([row('a')])
    }, ONE_CALL)
    expect(await storage.withTransaction(readIds)).toEqual(['a'])
  })

  test.each([1, 3])('one call, of %i rows, is whole when it is answered', async (count) => {
    const { storage, database } = open()
    const rows = ['a', 'b', 'c'].slice(0, count).map((id) => row(id))
    await storage.withTransaction(async (tx) => {
      await tx.insertTaskExecutions(rows)
      const ids = database.prepare('select execution_id as id from durable_execution_executions').all()
      expect(ids.map((found) => (found as { id: string }).id)).toEqual(rows.map((one) => one.executionId))
      expect('isTransaction' in database ? database.isTransaction : database.inTransaction).toBe(false)
    }, ONE_CALL)
  })

  test('one call that fails leaves nothing, and its own error is passed on', async () => {
    const { storage } = open()
    await storage.withTransaction(async (tx) => await tx.insertTaskExecutions([row('b')]), ONE_CALL)
    for (const rows of [[row('b')], [row('a'), row('b'), row('c')]]) {
      const failing = storage.withTransaction(async (tx) => await tx.insertTaskExecutions(rows), ONE_CALL)
      await expect(failing).rejects.toThrow('Task execution b already exists')
    }
    expect(await storage.withTransaction(readIds)).toEqual(['b'])
  })

  test.each([1, 3])(
    'while one call of %i rows is made, no other code of the process finds the database locked',
    async (count) => {
      const { storage, other } = open()
      await storage.migrate()
      other.exec('create table mine (id integer primary key)')
      let isOver = false
      let written = 0
      const write = async (): Promise<void> => {
        while (!isOver) {
          // It would have to wait for itself.
          other.exec('insert into mine default values')
          written += 1
          await Promise.resolve()
        }
      }
      const writing = write()
      const rows = ['a', 'b', 'c'].slice(0, count).map((id) => row(id))
      await storage.withTransaction(async (tx) => await tx.insertTaskExecutions(rows), ONE_CALL)
      isOver = true
      await writing
      expect(written).toBeGreaterThan(1)
    },
  )

  const repeated: Array<[what: string, call: (tx: DurableStorageTx, index: number) => unknown]> = [
    ['writes', (tx, index) => tx.insertTaskExecutions([row(`${index}`)])],
    ['reads', (tx) => readIds(tx)],
  ]
  test.each(repeated)(
    '%s that follow one another at once leave the event loop its turns',
    async (_, call) => {
      const { storage } = open()
      await storage.migrate()
      let isTurn = false
      setImmediate(() => {
        isTurn = true
      })
      for (let index = 0; !isTurn; index += 1) {
        expect(index).toBeLessThan(100_000)
        await storage.withTransaction(async (tx) => await call(tx, index), ONE_CALL)
      }
    },
  )

  test('a call that fails when its function has ended without it fails the transaction', async () => {
    const { storage, other } = open()
    await storage.withTransaction(async (tx) => await tx.insertTaskExecutions([row('a')]), ONE_CALL)
    // It has to wait, so that the function is through before it.
    other.exec('begin immediate')
    const unheard = storage.withTransaction(async (tx) => {
      void tx.insertTaskExecutions([row('a')])
      return await Promise.resolve('went on')
    }, ONE_CALL)
    setTimeout(() => other.exec('rollback'), 10)
    await expect(unheard).rejects.toThrow('Task execution a already exists')
  })

  test('nothing is acknowledged that a statement of the user keeps from being committed', async () => {
    const { storage, database, other } = open()
    await storage.migrate()
    database.exec('create table mine (id integer primary key)')
    const going = database.prepare('insert into mine values (1), (2), (3) returning id').iterate()
    going.next()
    const asked = storage
      .withTransaction(async (tx) => await tx.insertTaskExecutions([row('a')]), ONE_CALL)
      .then(
        () => 'acknowledged',
        (error: unknown) => String(error),
      )
    expect(await asked).toMatch(/SQL statements in progress|busy executing a query/)
    going.return?.()
    expect(other.prepare('select count(*) as count from durable_execution_executions').all()).toEqual([
      { count: 0 },
    ])
    await storage.withTransaction(async (tx) => await tx.insertTaskExecutions([row('a')]), ONE_CALL)
    expect(await storage.withTransaction(readIds)).toEqual(['a'])
  })

  test('a call that comes when the function has ended without one is kept or refused, and leaves nothing open', async () => {
    const { storage, database } = open()
    await storage.withTransaction(readIds)
    const kept: Array<string> = []
    for (const ticks of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const id = `late ${ticks}`
      let stray: Promise<unknown> | undefined
      const late = async (tx: DurableStorageTx): Promise<void> => {
        for (let tick = 0; tick < ticks; tick += 1) {
          await Promise.resolve()
        }
        await tx.insertTaskExecutions([row(id)])
      }
      await storage.withTransaction((tx) => {
        stray = late(tx).then(
          () => kept.push(id),
          (error: unknown) => expect(String(error)).toContain('The transaction has ended'),
        )
        return Promise.resolve()
      }, ONE_CALL)
      await stray
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
      expect('isTransaction' in database ? database.isTransaction : database.inTransaction).toBe(false)
    }
    expect(kept.length).toBeLessThan(8)
    expect(await storage.withTransaction(readIds)).toEqual(kept)
  })

  test('a transaction that could not begin rejects, even if nobody awaited its call', async () => {
    const { storage, database } = open()
    await storage.withTransaction(readIds)
    database.close()
    const unheard = storage.withTransaction((tx) => {
      Promise.resolve(tx.insertTaskExecutions([row('a')])).catch(() => {})
      return Promise.resolve()
    }, ONE_CALL)
    await expect(unheard).rejects.toThrow(/not open/)
    if (database instanceof DatabaseSync) {
      database.open()
    }
  })

  test('a second call where one was announced is refused', async () => {
    const { storage } = open()
    const failing = storage.withTransaction(async (tx) => [await readIds(tx), await readIds(tx)], ONE_CALL)
    await expect(failing).rejects.toThrow('makes one call only')
  })

  test('a transaction that a full disk has ended rejects, even if its function went on', async () => {
    const { storage, database } = open()
    await storage.migrate()
    database.exec('pragma max_page_count = 40')
    const failing = storage.withTransaction(async (tx) => {
      await tx.insertTaskExecutions([row('small')])
      try {
        await tx.insertTaskExecutions([row('large', 'x'.repeat(1_000_000))])
      } catch {
        // Goes on as if nothing had happened.
      }
    })
    await expect(failing).rejects.toThrow('database or disk is full')
    database.exec('pragma max_page_count = 4000')
    expect(await storage.withTransaction(readIds)).toEqual([])
  })

  test('after an error of the driver no further call is made', async () => {
    const { storage, database } = open()
    await storage.migrate()
    database.exec('pragma max_page_count = 40')
    const failing = storage.withTransaction(async (tx) => {
      expect(() => tx.insertTaskExecutions([row('large', 'x'.repeat(1_000_000))])).toThrow('full')
      expect(() => tx.insertTaskExecutions([row('small')])).toThrow('full')
    })
    await expect(failing).rejects.toThrow('full')
    expect(await storage.withTransaction(readIds)).toEqual([])
  })

  test('a transaction that somebody else has ended rejects', async () => {
    const { storage, database } = open()
    const failing = storage.withTransaction(async (tx) => {
      await tx.insertTaskExecutions([row('a')])
      database.exec('rollback')
    })
    await expect(failing).rejects.toThrow('The transaction was ended by somebody else')
  })
})
