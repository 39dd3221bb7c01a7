/** The people of the show, who ask for things, decide on them, and look on the website how far they are. */

import { setTimeout as pause } from 'node:timers/promises'

import { type Program } from '../show/programs.ts'
import { type Decision, type Request, type RequestState } from './tasks.ts'

// So long takes a day here; three of them are the time to answer.
const DAY_MS = 500

export type Mail = { request: string; to: string; about: string }

/** What somebody asks for, and on which mail somebody answers what. */
export type Plot = Request & { answersTo: string; decision: Decision }

export const PLOTS: ReadonlyArray<Plot> = [
  {
    id: 'chair',
    what: 'a chair',
    cents: 40_000,
    answersTo: 'please decide',
    decision: { isApproved: true, by: 'lead' },
  },
  {
    id: 'desk',
    what: 'a desk that rises',
    cents: 90_000,
    answersTo: 'reminder 1',
    decision: { isApproved: false, by: 'lead' },
  },
  {
    id: 'piano',
    what: 'a piano',
    cents: 900_000,
    answersTo: 'the lead does not answer',
    decision: { isApproved: true, by: 'director' },
  },
]

/** What the website says of a request. */
export type Seen = { status: string; state: RequestState | undefined }

/** Those who use the website. When it does not answer they try again, as people do. */
export class People {
  readonly #desk: Program
  #isHere = true

  constructor(desk: Program) {
    this.#desk = desk
  }

  async ask({ id, what, cents }: Plot): Promise<void> {
    await this.#call('POST', '/requests', { id, what, cents, dayMs: DAY_MS })
  }

  async answer({ id, decision }: Plot): Promise<void> {
    await this.#call('POST', `/requests/${id}/answer`, decision)
    // Impatient, and so twice.
    await this.#call('POST', `/requests/${id}/answer`, decision)
  }

  /** They do nothing more. */
  leave(): void {
    this.#isHere = false
  }

  /** Looks until all is over; gives what was seen last. */
  async watch(id: string, say: (line: string) => void): Promise<Seen> {
    let before = ''
    for (;;) {
      const seen = (await this.#call('GET', `/requests/${id}`)) as Seen
      const line = `the website says of the ${id}: ${seen.state?.stage ?? 'nothing yet'}`
      if (line !== before) {
        say(line)
      }
      before = line
      if (!['ready', 'running'].includes(seen.status)) {
        return seen
      }
      await pause(40)
    }
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    while (this.#isHere) {
      try {
        const url = String(await this.#desk.ready)
        const response = await fetch(`${url}${path}`, {
          method,
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        })
        if (response.ok) {
          return await response.json()
        }
      } catch {
        // It was killed, and is being started again.
      }
      await pause(20)
    }
    throw new Error('Nobody is here any more')
  }
}
