/** The books into which the bookings go: a database of the program's own. */

import { DatabaseSync } from 'node:sqlite'

import { type Totals } from './csv.ts'

export class Books {
  readonly #database: DatabaseSync

  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: 10_000 })
    this.#database.exec(`
      pragma journal_mode = wal;
      create table if not exists booked
        (key text primary key, bookings integer not null, cents integer not null, asked integer not null default 1)`)
  }

  /** Books a chunk. One that is in the books already is not booked again. */
  book(key: string, { bookings, cents }: Totals): void {
    this.#database
      .prepare(
        `insert into booked (key, bookings, cents) values (?, ?, ?)
         on conflict (key) do update set asked = asked + 1`,
      )
      .run(key, bookings, cents)
  }

  /** What is in the books, and how often somebody wanted to book what was there. */
  read(): Totals & { chunks: number; repeats: number } {
    const row = this.#database
      .prepare(
        `select count(*) as chunks, coalesce(sum(bookings), 0) as bookings, coalesce(sum(cents), 0) as cents,
           coalesce(sum(asked - 1), 0) as repeats from booked`,
      )
      .get()
    return {
      chunks: Number(row?.['chunks']),
      bookings: Number(row?.['bookings']),
      cents: Number(row?.['cents']),
      repeats: Number(row?.['repeats']),
    }
  }

  close(): void {
    this.#database.close()
  }
}
