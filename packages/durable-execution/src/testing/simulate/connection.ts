/**
 * The storage as one simulated process sees it: every call is a message to the server and one back, each of which takes its
 * time, and may be lost.
 */

import { type Millis } from '../../base/clock.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import {
  type DurableStorage,
  type DurableStorageChangeHint,
  type DurableStorageTx,
} from '../../storage/contract.ts'
import { type Chance } from './chance.ts'
import { copy, copyLean } from './copy.ts'
import { type Scheduler, type Source } from './scheduler.ts'
import { connectionError, type ServerTransaction, type SimServer } from './server.ts'
import { EPOCH_MS, type SimProcess } from './sim-process.ts'

/** What the way to the server is like just now; all zero: as it should be. */
export type Weather = {
  lostRequest: number
  lostReply: number
  /** That a statement meets a serialization error. */
  conflict: number
  /** That a message takes long: up to `slowMs`. */
  slow: number
  slowMs: Millis
  lostHint: number
  doubledHint: number
}

export const FAIR_WEATHER: Weather = {
  lostRequest: 0,
  lostReply: 0,
  conflict: 0,
  slow: 0,
  slowMs: 0,
  lostHint: 0,
  doubledHint: 0,
}

/** What the simulated storage offers. */
export type StorageKind = {
  /** The optional operations, or the four alone. */
  hasMembers: boolean
  /** Whether it keeps the fields that are no part of the contract. */
  keepsOwnFields: boolean
  hasClock: boolean
  hasHints: boolean
}

/** All that the connections of a simulation share. */
export type Network = {
  scheduler: Scheduler
  server: SimServer
  chance: Chance
  weather: Weather
  kind: StorageKind
  listeners: Set<{ process: SimProcess; listener: (hint: DurableStorageChangeHint) => void }>
}

const QUICK_MS = 3
// A server notices that a client is gone after up to so long.
const NOTICED_AFTER_MS = 2_000

/** A storage for one process. */
export function connect(network: Network, process: SimProcess): DurableStorage {
  const storage: DurableStorage = {
    // Nothing of a dead process reaches anybody.
    withTransaction: (fn) =>
      process.isAlive ? new Session(network, process).run(fn) : new Promise(() => {}),
  }
  if (network.kind.hasClock) {
    storage.getCurrentTime = () =>
      send(network, process, network.scheduler.newSource(`${process.name} asks`), 'the time', () =>
        Promise.resolve(new Date(EPOCH_MS + Math.floor(network.scheduler.now))),
      )
  }
  if (network.kind.hasHints) {
    storage.onChange = (listener) => {
      const entry = { process, listener }
      network.listeners.add(entry)
      return Promise.resolve(() => {
        network.listeners.delete(entry)
        return Promise.resolve()
      })
    }
    storage.notifyChange = (hint) => {
      tellOthers(network, process, hint)
      return Promise.resolve()
    }
  }
  return storage
}

function tellOthers(network: Network, from: SimProcess, hint: DurableStorageChangeHint): void {
  const { scheduler, chance, weather } = network
  for (const { process, listener } of network.listeners) {
    if (process === from || !process.isAlive || chance.happens(weather.lostHint)) {
      continue
    }
    for (let times = chance.happens(weather.doubledHint) ? 2 : 1; times > 0; times -= 1) {
      scheduler.after(process.source, latency(network), 'a hint', () => listener(hint))
    }
  }
}

/** How long a message takes. */
function latency({ chance, weather }: Network): Millis {
  return chance.happens(weather.slow) ? chance.random() * weather.slowMs : chance.random() * QUICK_MS
}

/** Sends one message to the server, and gives what comes back; rejects if either way loses it. */
function send<T>(
  network: Network,
  process: SimProcess,
  way: Source,
  label: string,
  serve: () => Promise<T>,
): Promise<T> {
  const { scheduler, chance, weather } = network
  return new Promise((resolve, reject) => {
    const reply = (what: string, settle: () => void): void => {
      scheduler.remove(way)
      scheduler.after(process.source, latency(network), what, settle)
    }
    const fail = (error: unknown, what: string): void => reply(what, () => reject(error))
    scheduler.after(way, latency(network), label, () => {
      if (chance.happens(weather.lostRequest)) {
        fail(connectionError(`${label} was lost on the way`), `${label} was lost`)
        return
      }
      serve().then(
        (answer) => {
          if (chance.happens(weather.lostReply)) {
            fail(connectionError(`the reply to ${label} was lost`), `the reply to ${label} was lost`)
          } else {
            reply(`${label} is answered`, () => resolve(answer))
          }
        },
        (error: unknown) => fail(error, `${label} is refused`),
      )
    })
  })
}

// No statement, so there is nothing that could conflict.
const ENDS: ReadonlySet<string> = new Set(['commit', 'rollback'])

/** One transaction, on a connection of its own. */
class Session {
  readonly #network: Network
  readonly #process: SimProcess
  readonly #transaction: ServerTransaction
  #broken: { error: unknown } | undefined
  #isOver = false

  constructor(network: Network, process: SimProcess) {
    this.#network = network
    this.#process = process
    this.#transaction = network.server.begin(process.name)
    process.onDeath(() => this.#end(network.chance.random() * NOTICED_AFTER_MS))
  }

  async run<T>(fn: (tx: DurableStorageTx) => Promise<T>): Promise<T> {
    let answer: T
    try {
      answer = await fn(this.#operations())
      if (this.#broken !== undefined) {
        throw this.#broken.error
      }
    } catch (error) {
      await this.#rollBack()
      throw error
    }
    await this.#ask('commit', () => {
      this.#isOver = true
      this.#transaction.commit()
      return Promise.resolve()
    })
    return answer
  }

  /** As drivers do: who hears that it failed finds its locks gone, unless the connection is. */
  async #rollBack(): Promise<void> {
    if (this.#broken === undefined) {
      const rolledBack = this.#ask('rollback', () => {
        this.#isOver = true
        this.#transaction.rollback()
        return Promise.resolve()
      })
      await rolledBack.catch(() => {})
    }
    this.#end(latency(this.#network))
  }

  /** The server ends it by itself, once it notices. */
  #end(afterMs: Millis): void {
    if (this.#isOver) {
      return
    }
    this.#isOver = true
    const { scheduler } = this.#network
    const way = scheduler.newSource(`${this.#process.name}'s transaction`)
    scheduler.after(way, afterMs, 'rollback', () => {
      scheduler.remove(way)
      this.#transaction.rollback()
    })
  }

  async #ask<T>(label: string, serve: () => Promise<T>): Promise<T> {
    if (this.#broken !== undefined) {
      throw this.#broken.error
    }
    const way = this.#network.scheduler.newSource(`${this.#process.name} asks`)
    try {
      return await send(this.#network, this.#process, way, label, async () => {
        if (!ENDS.has(label) && this.#network.chance.happens(this.#network.weather.conflict)) {
          throw Object.assign(new Error('could not serialize access'), { code: '40001' })
        }
        return await serve()
      })
    } catch (error) {
      // After an error a database takes nothing but the end of the transaction.
      this.#broken = { error }
      this.#end(0)
      throw error
    }
  }

  #operations(): DurableStorageTx {
    const ask = <T>(label: string, serve: () => Promise<T> | T): Promise<T> =>
      this.#ask(label, async () => await serve())
    const on = this.#transaction
    const four: DurableStorageTx = {
      insertTaskExecutions: (rows) => {
        const sent = rows.map(copy)
        return ask(`insert of ${rows.length}`, () => on.insert(sent))
      },
      getTaskExecutionIds: (where, limit) =>
        ask(`ids ${where.type}`, () => on.find(where, limit).map((row) => row.executionId)),
      getTaskExecutions: (where, limit) => ask(`rows ${where.type}`, () => on.find(where, limit).map(copy)),
      updateTaskExecutions: (where, update) => {
        const sent = copy(update)
        return ask(`update ${where.type}`, () => on.update(where, sent))
      },
    }
    return this.#network.kind.hasMembers ? { ...four, ...membersOn(on, ask) } : four
  }
}

type Ask = <T>(label: string, serve: () => Promise<T> | T) => Promise<T>

function membersOn(on: ServerTransaction, ask: Ask): Partial<DurableStorageTx> {
  return {
    insertTaskExecutionsIfMissing: (rows) => {
      const sent = rows.map(copy)
      return ask(`insert of what is missing of ${rows.length}`, () => on.insertMissing(sent))
    },
    claimTaskExecutions: (claim) => ask('claim', async () => (await on.claim(claim)).map(copy)),
    updateTaskExecutionsBatch: (updates) =>
      ask(`batch of ${updates.length}`, () => on.updateGuarded(updates)),
    lockTaskExecutions: (ids, options) =>
      ask(`lock of ${ids.length}`, async () =>
        (await on.lock(ids)).map(options?.isLean === true ? copyLean : copy),
      ),
    getTaskExecutionFields: (ids, fields) =>
      ask(`fields of ${ids.length}`, () =>
        on.get(ids).map((row) => {
          const names: ReadonlyArray<string> = ['executionId', ...fields]
          const entries = Object.entries(row).filter(([name]) => names.includes(name))
          return copy(Object.fromEntries(entries) as ExecutionRow)
        }),
      ),
    renewTaskExecutions: (renew) => ask(`renewal of ${renew.leases.length}`, () => on.renew(renew)),
    getTaskExecutionsInIdRanges: (ranges) =>
      ask(`${ranges.length} ranges of ids`, () => on.inRanges(ranges).map(copy)),
    getTaskExecutionIdsBelow: (parentId, limit) => ask('ids below', () => on.idsBelow(parentId, limit)),
  }
}
