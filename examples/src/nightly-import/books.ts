/** The books into which the bookings go: a database of the program's own. */

import { DatabaseSync } from 'node:sqlite'

import { type Totals } from './csv.ts'

export class Books {
  readonly #database: DatabaseSync

  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: 10_000 })
    this.#database.exec(`
      pragma journal_mode = wal;
      create table if not exists begun (key text not null);
      create table if not exists booked (key text primary key, bookings integer not null, cents integer not null)`)
  }

  /** Somebody has begun with a chunk; for the show alone. */
  noteBegun(key: string): void {
    this.#database.prepare('insert into begun values (?)').run(key)
  }

  /** Books a chunk. One that is in the books already changes nothing. */
  book(key: string, { bookings, cents }: Totals): void {
    this.#database
      .prepare('insert into booked values (?, ?, ?) on conflict do nothing')
      .run(key, bookings, cents)
  }

  /** What is in the books, and how many chunks were begun more than once. */
  read(): Totals & { chunks: number; begunAgain: number } {
    const row = this.#database
      .prepare(
        `select count(*) as chunks, coalesce(sum(bookings), 0) as bookings, coalesce(sum(cents), 0) as cents,
           (select count(*) - count(distinct key) from begun) as begunAgain from booked`,
      )
      .get()
    return {
      chunks: Number(row?.['chunks']),
      bookings: Number(row?.['bookings']),
      cents: Number(row?.['cents']),
      begunAgain: Number(row?.['begunAgain']),
    }
  }

  close(): void {
    this.#database.close()
  }
}
