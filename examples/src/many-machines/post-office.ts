/** The world outside: two tables of the program's own, in which one can see afterwards what really happened. */

import { Pool } from 'pg'

/** What there is to tell of letters that were in the hands of a worker that died. */
export type Incidents = { startedTwice: number; takenOver: number; lost: number }

export class PostOffice {
  readonly #pool: Pool
  readonly #schema: string

  constructor(connectionString: string, schema: string) {
    this.#pool = new Pool({ connectionString, max: 4 })
    // A connection that breaks while nobody uses it must not end the process.
    this.#pool.on('error', () => {})
    this.#schema = `"${schema}"`
  }

  async open(): Promise<void> {
    await this.#pool.query(`
      create schema if not exists ${this.#schema};
      create table ${this.#schema}.starts (letter int not null, worker text not null, at timestamptz not null default now());
      create table ${this.#schema}.letters (letter int primary key, worker text not null)`)
  }

  async noteStart(letter: number, worker: string): Promise<void> {
    await this.#pool.query(`insert into ${this.#schema}.starts (letter, worker) values ($1, $2)`, [
      letter,
      worker,
    ])
  }

  /** Sends a letter. One that was sent before is not sent again. */
  async send(letter: number, worker: string): Promise<void> {
    const insert = `insert into ${this.#schema}.letters values ($1, $2) on conflict do nothing`
    await this.#pool.query(insert, [letter, worker])
  }

  async countSent(): Promise<number> {
    const { rows } = await this.#pool.query<{ count: number }>(
      `select count(*)::int as count from ${this.#schema}.letters`,
    )
    return rows[0]?.count ?? 0
  }

  /** Whether the worker has begun a letter, of the given length, in whose first half it still is. */
  async hasJustBegun(worker: string, paceMs: number): Promise<boolean> {
    const { rows } = await this.#pool.query(
      `select from ${this.#schema}.starts where worker = $1 and at > now() - $2 * interval '1 ms' limit 1`,
      [worker, paceMs / 2],
    )
    return rows.length > 0
  }

  /** What became of the letters that the dead worker had begun, and whether all of the mailing were sent. */
  async findIncidents(letters: number, deadWorker: string): Promise<Incidents> {
    const { rows } = await this.#pool.query<Incidents>(
      `select
        (select count(*)::int from (select letter from ${this.#schema}.starts group by letter having count(*) > 1) s)
          as "startedTwice",
        (select count(distinct s.letter)::int from ${this.#schema}.starts s join ${this.#schema}.letters l using (letter)
          where s.worker = $2 and l.worker <> $2) as "takenOver",
        $1::int - (select count(*)::int from ${this.#schema}.letters) as "lost"`,
      [letters, deadWorker],
    )
    return rows[0] ?? { startedTwice: 0, takenOver: 0, lost: letters }
  }

  /** Removes all tables of the demo, those of the engine too. */
  async demolish(): Promise<void> {
    await this.#pool.query(`drop schema if exists ${this.#schema} cascade`)
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }
}
