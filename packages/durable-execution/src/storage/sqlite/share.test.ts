/** A transaction that code of the user's shares, with both drivers. */

import { mkdtempSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import BetterSqlite3 from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { DurableExecutionError } from '../../base/errors.ts'
import { type DurableStorageTx } from '../contract.ts'
import { createSqliteStorage, type SqliteStorage } from './index.ts'

/** What the tests use of either handle. */
type Handle = {
  exec: (sql: string) => unknown
  prepare: (sql: string) => {
    run: (...values: Array<unknown>) => unknown
    all: () => Array<{ text: string }>
  }
  close: () => unknown
}

const DRIVERS: Array<{ name: string; open: (path: string) => Handle }> = [
  { name: 'node:sqlite', open: (path) => new DatabaseSync(path) as unknown as Handle },
  { name: 'better-sqlite3', open: (path) => new BetterSqlite3(path, { timeout: 0 }) as unknown as Handle },
]

describe.each(DRIVERS)('with $name', ({ open }) => {
  let folder: string
  let database: Handle
  let storage: SqliteStorage

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'durable-execution-share-'))
    database = open(join(folder, 'app.db'))
    database.exec('create table notes (text text primary key)')
    database.exec('create table replies (note text references notes (text) deferrable initially deferred)')
    storage = createSqliteStorage({ database: database as unknown as DatabaseSync })
    await storage.migrate()
  })

  afterEach(async () => {
    vi.useRealTimers()
    await storage.close()
    database.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const notes = (): Array<string> =>
    database
      .prepare('select text from notes order by text')
      .all()
      .map(({ text }) => text)

  /** Shares a transaction in which nothing of ours is written. */
  async function share<T>(
    use: (tx: Handle) => T | Promise<T>,
    keep: (tx: DurableStorageTx) => Promise<void> = async () => {},
  ): Promise<T> {
    const shared = storage.shareTransaction?.(async (handle) => await use(handle as Handle), keep)
    return (await shared) as T
  }

  const write = (tx: Handle, text: string): unknown => tx.prepare('insert into notes values (?)').run(text)

  test('the handle is of its class, and what is written through it is committed', async () => {
    await share((tx) => {
      expect(tx).toBeInstanceOf(Object.getPrototypeOf(database).constructor)
      expect(tx.prepare).toBe(tx.prepare)
      write(tx, 'kept')
      expect(tx.prepare('select text from notes').all()).toEqual([{ text: 'kept' }])
    })
    expect(notes()).toEqual(['kept'])
  })

  test('what is written through it is undone if the function rejects, or what comes after it', async () => {
    const trouble = new Error('trouble')
    const refused = share((tx) => {
      write(tx, 'lost')
      throw trouble
    })
    await expect(refused).rejects.toBe(trouble)
    const late = share(
      (tx) => write(tx, 'lost'),
      async () => await Promise.reject(trouble),
    )
    await expect(late).rejects.toBe(trouble)
    expect(notes()).toEqual([])
  })

  test('another transaction waits while the function waits, and sees what it wrote', async () => {
    const gate = Promise.withResolvers<void>()
    const shared = share(async (tx) => {
      write(tx, 'first')
      await gate.promise
      write(tx, 'second')
    })
    let isDone = false
    const other = storage
      .withTransaction(
        async (tx) => await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: ['ready'] }),
      )
      .then(() => {
        isDone = true
        return notes()
      })
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 20)
    })
    expect(isDone).toBe(false)
    gate.resolve()
    await shared
    expect(await other).toEqual(['first', 'second'])
  })

  test.each(['commit', 'rollback', 'begin', 'insert into notes values (1); commit', 'end'])(
    'a function may not send %s',
    async (text) => {
      for (const send of [(tx: Handle) => tx.exec(text), (tx: Handle) => tx.prepare(text)]) {
        const refused = share((tx) => {
          write(tx, 'lost')
          send(tx)
        })
        await expect(refused).rejects.toThrow(
          'ctx.transaction begins and ends its transaction itself: leave out',
        )
        await expect(refused).rejects.toMatchObject({ isRetryable: false })
      }
      expect(notes()).toEqual([])
    },
  )

  test('a function may not close the handle', async () => {
    await expect(share((tx) => tx.close())).rejects.toThrow('Do not close the handle')
    await share((tx) => write(tx, 'kept'))
    expect(notes()).toEqual(['kept'])
  })

  test('savepoints undo a part', async () => {
    await share((tx) => {
      write(tx, 'kept')
      tx.exec('savepoint part')
      write(tx, 'lost')
      tx.exec('rollback to part')
      tx.exec('release part')
    })
    expect(notes()).toEqual(['kept'])
  })

  test('a transaction that a statement has ended takes nothing more, and is told of', async () => {
    const refused = share((tx) => {
      write(tx, 'lost')
      expect(() => tx.exec(`insert or rollback into notes values ('lost')`)).toThrow(/UNIQUE/)
      expect(() => write(tx, 'late')).toThrow('was ended inside its function')
    })
    await expect(refused).rejects.toThrow('The transaction was ended inside its function')
    expect(notes()).toEqual([])
  })

  test('the handle and its statements are of no use when it has ended', async () => {
    const kept: Array<() => unknown> = []
    await share((tx) => {
      const statement = tx.prepare('insert into notes values (?)')
      kept.push(
        () => statement.run('late'),
        () => write(tx, 'late'),
        () => tx.exec(`insert into notes values ('late')`),
      )
    })
    for (const use of kept) {
      expect(use).toThrow('The transaction has ended. Use `tx` only inside its function')
    }
    expect(notes()).toEqual([])
  })

  test('a constraint that is checked at the commit refuses the transaction, and says which', async () => {
    const refused = share((tx) => {
      write(tx, 'lost')
      tx.exec(`insert into replies values ('nobody')`)
    })
    await expect(refused).rejects.toThrow(
      'The transaction cannot be committed: FOREIGN KEY constraint failed',
    )
    await expect(refused).rejects.toBeInstanceOf(DurableExecutionError)
    expect(notes()).toEqual([])
    await share((tx) => write(tx, 'kept'))
    expect(notes()).toEqual(['kept'])
  })

  test('a full database is no error of the function’s', async () => {
    const [{ page_count: pages }] = database.prepare('pragma page_count').all() as unknown as [
      { page_count: number },
    ]
    database.exec(`pragma max_page_count = ${pages}`)
    const lost = share((tx) => write(tx, 'x'.repeat(1_000_000)))
    await expect(lost).rejects.toThrow('The transaction was lost: database or disk is full')
    await expect(lost).rejects.not.toBeInstanceOf(DurableExecutionError)
    expect(notes()).toEqual([])
  })

  test('a function that takes too long is undone, and holds up nobody any more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    let late: (() => unknown) | undefined
    const shared = share(async (tx) => {
      write(tx, 'lost')
      late = () => write(tx, 'late')
      await new Promise<never>(() => {})
    })
    shared.catch(() => {})
    await vi.waitFor(() => expect(late).toBeDefined())
    await vi.advanceTimersByTimeAsync(10_000)
    await expect(shared).rejects.toThrow('took longer than 10000 ms (limit: sharedTransactionMs)')
    expect(late).toThrow('The transaction has ended')
    vi.useRealTimers()
    await share((tx) => write(tx, 'kept'))
    expect(notes()).toEqual(['kept'])
  })

  test('rows come as the library gives them, and blobs and iterators work', async () => {
    type Rich = {
      prepare: (sql: string) => { get: () => unknown; iterate: () => Iterable<{ text: string }> }
    }
    await share((tx) => {
      write(tx, 'a')
      write(tx, 'b')
      const rich = tx as unknown as Rich
      expect(rich.prepare(`select x'0102' as blob`).get()).toEqual(
        database.prepare(`select x'0102' as blob`).all()[0],
      )
      const found = []
      for (const { text } of rich.prepare('select text from notes order by text').iterate()) {
        found.push(text)
      }
      expect(found).toEqual(['a', 'b'])
    })
  })
})

test('the transactions of better-sqlite3 are savepoints in it', async () => {
  const database = new BetterSqlite3(':memory:')
  database.exec('create table notes (text text)')
  const storage = createSqliteStorage({ database })
  await storage.shareTransaction?.(
    (tx) => {
      const handle = tx as BetterSqlite3.Database
      const insert = handle.prepare('insert into notes values (?)')
      const writeBoth = handle.transaction((isFailing: boolean) => {
        insert.run('one')
        if (isFailing) {
          throw new Error('undo')
        }
        insert.run('two')
      })
      expect(() => writeBoth(true)).toThrow('undo')
      writeBoth(false)
      expect(handle.inTransaction).toBe(true)
      return Promise.resolve()
    },
    async () => {},
  )
  expect(database.prepare('select text from notes').pluck().all()).toEqual(['one', 'two'])
  await storage.close()
})
