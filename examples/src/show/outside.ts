/**
 * The world outside, for a show: services over http, such as a bank or a mail company. They take an idempotency key, as good
 * services do, and keep a ledger in which one can see afterwards what really happened. They are as unreliable as real ones: now
 * and then a service has no time, and now and then it does what it was asked and the answer is lost on the way.
 */

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

import { between, type Random } from './random.ts'

/** What a service is asked. */
export type Question<TBody> = { body: TBody; key: string }

/** Does what it is asked, once for each key. */
export type Service = (question: Question<never>) => unknown

/** A service says no, and will say so again. */
export class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** One effect: what was asked under a key, what was answered, and how often it was asked. */
export type LedgerEntry = {
  service: string
  key: string
  body: unknown
  status: number
  answer: unknown
  asked: number
}

const MOST_MS = 12
const NO_TIME = 0.08
const LOST = 0.08

export class Outside {
  /** What happened, in its order. */
  readonly ledger: Array<LedgerEntry> = []
  readonly #byKey = new Map<string, LedgerEntry>()
  readonly #services: Record<string, Service>
  readonly #random: Random
  readonly #onCall: (service: string, body: unknown) => void
  readonly #server = createServer((request, response) => {
    void this.#answer(request, response).catch(() => response.destroy())
  })

  /** `onCall` is told of every call when it arrives, before anything is done. */
  constructor(
    services: Record<string, Service>,
    random: Random,
    onCall: (service: string, body: unknown) => void,
  ) {
    this.#services = services
    this.#random = random
    this.#onCall = onCall
  }

  /** Resolves to the address under which the services are: `${url}/${service}`. */
  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  /** What a service did; what it refused is not among it. */
  effectsOf(service: string): Array<LedgerEntry> {
    return this.ledger.filter((entry) => entry.service === service && entry.status === 200)
  }

  /** How many calls asked for what had been done before. */
  get repeats(): number {
    return this.ledger.reduce((sum, { asked }) => sum + asked - 1, 0)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const service = request.url?.slice(1) ?? ''
    const key = String(request.headers['idempotency-key'] ?? '')
    const body: unknown = JSON.parse(Buffer.concat(await request.toArray()).toString() || 'null')
    this.#onCall(service, body)
    await pause(between(this.#random, 1, MOST_MS))
    if (this.#random() < NO_TIME) {
      send(response, 503, { message: 'No time. Ask again' })
      return
    }
    const entry = this.#do(service, key, body)
    await pause(between(this.#random, 1, MOST_MS))
    if (this.#random() < LOST) {
      request.socket.destroy()
      return
    }
    send(response, entry.status, entry.answer)
  }

  #do(service: string, key: string, body: unknown): LedgerEntry {
    const id = `${service} ${key}`
    const known = this.#byKey.get(id)
    if (known !== undefined) {
      known.asked += 1
      return known
    }
    const entry = { service, key, body, asked: 1, ...this.#ask(service, { key, body }) }
    this.#byKey.set(id, entry)
    this.ledger.push(entry)
    return entry
  }

  #ask(service: string, question: Question<unknown>): { status: number; answer: unknown } {
    try {
      const ask = this.#services[service]
      if (ask === undefined || question.key === '') {
        throw new Refusal(400, `${service} with the key "${question.key}" is nothing that can be asked`)
      }
      return { status: 200, answer: ask(question as Question<never>) ?? null }
    } catch (error) {
      if (error instanceof Refusal) {
        return { status: error.status, answer: { message: error.message } }
      }
      throw error
    }
  }
}

function send(response: ServerResponse, status: number, answer: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
}
