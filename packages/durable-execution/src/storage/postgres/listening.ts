/** Listens for hints on a connection of its own, which is made again when it dies or falls silent. */

import { systemClock, type Timer } from '../../base/clock.ts'
import { jitter, systemRandom } from '../../base/random.ts'
import { type DurableStorageChangeHint } from '../contract.ts'
import { endClient, type LoneClient } from './connections.ts'
import { ask, type PostgresNotification } from './driver.ts'
import { fromPayload, toPayload } from './hints.ts'
import { quoted } from './tables.ts'

/** Called when something may have changed. */
type ChangeListener = (hint: DurableStorageChangeHint) => void

/** Listeners, and the one connection that serves them all. */
export type Listening = {
  /** Adds a listener; resolves, with the function that removes it, once the first try to listen was made. */
  add: (listener: ChangeListener) => Promise<() => Promise<void>>
  /** Removes all. */
  stop: () => Promise<void>
}

export type ListeningOptions = {
  open: () => Promise<LoneClient>
  channel: string
  /** Who we are: what we sent ourselves is not reported. */
  sender: string
  /** How long a connection may be silent before it is asked for a sign of life, in milliseconds. */
  pingEveryMs?: number
  /** How long that may take to come, in milliseconds. */
  pongMs?: number
}

const PING_EVERY_MS = 30_000
const PONG_MS = 5_000
const BACKOFF_MS = 100
const LONGEST_BACKOFF_MS = 10_000

// While nobody can be heard, whoever relies on hints is told to look by itself, as often as it would without them.
const DEAF_HINT_MS = 500

/** Listens while there is a listener. What may have been missed meanwhile is made up for by a hint that says so. */
export function createListening({
  open,
  channel,
  sender,
  pingEveryMs = PING_EVERY_MS,
  pongMs = PONG_MS,
}: ListeningOptions): Listening {
  const listeners = new Set<ChangeListener>()
  let life: { end: () => Promise<void> } | undefined
  const tell = (hint: DurableStorageChangeHint): void => {
    for (const listener of listeners) {
      try {
        listener(hint)
      } catch {
        // A listener that throws is its owner's affair.
      }
    }
  }
  const stop = async (): Promise<void> => {
    listeners.clear()
    const ended = life
    life = undefined
    await ended?.end()
  }
  let firstTry: Promise<void> = Promise.resolve()
  return {
    add: async (listener) => {
      // A listener given twice is two listeners, each removed by its own function.
      const own: ChangeListener = (hint) => listener(hint)
      listeners.add(own)
      if (life === undefined) {
        const begun = keepListening({ open, channel, sender, pingEveryMs, pongMs }, tell)
        life = begun
        firstTry = begun.firstTry
      }
      await firstTry
      return async () => {
        if (listeners.delete(own) && listeners.size === 0) {
          await stop()
        }
      }
    },
    stop,
  }
}

/** Connects, again and again, until it is ended. */
function keepListening(
  options: Required<ListeningOptions>,
  tell: ChangeListener,
): { firstTry: Promise<void>; end: () => Promise<void> } {
  let isEnded = false
  let connection: Connection | undefined
  let pause: Timer | undefined
  let failures = 0
  let wasConnected = false
  let deaf: Timer | undefined

  const hintWhileDeaf = (): void => {
    deaf = systemClock.setTimer(DEAF_HINT_MS, () => {
      tell({ ready: true })
      hintWhileDeaf()
    })
  }
  const connect = async (): Promise<void> => {
    try {
      const made = await listenOn(options, tell)
      if (isEnded) {
        await made.end()
        return
      }
      connection = made
      failures = 0
      deaf?.cancel()
      deaf = undefined
      if (wasConnected) {
        // Nobody knows what was sent in between.
        tell({ ready: true })
      }
      wasConnected = true
      void made.lost.then(() => {
        connection = undefined
        again()
      })
    } catch {
      wasConnected = true
      again()
    }
  }
  const again = (): void => {
    if (!isEnded) {
      const backoffMs = Math.min(BACKOFF_MS * 2 ** failures, LONGEST_BACKOFF_MS)
      failures += 1
      if (deaf === undefined) {
        hintWhileDeaf()
      }
      pause = systemClock.setTimer(jitter(backoffMs, systemRandom), () => void connect())
    }
  }
  const firstTry = connect()
  return {
    firstTry,
    end: async () => {
      isEnded = true
      pause?.cancel()
      deaf?.cancel()
      await connection?.end()
    },
  }
}

type Connection = { lost: Promise<void>; end: () => Promise<void> }

/** Listens on one connection, which is ended when it dies, or does not hear its own ping. */
async function listenOn(
  { open, channel, sender, pingEveryMs, pongMs }: Required<ListeningOptions>,
  tell: ChangeListener,
): Promise<Connection> {
  const client = await open()
  const { promise: lost, resolve: lose } = Promise.withResolvers<void>()
  let timer: Timer | undefined
  let ending: Promise<void> | undefined
  const end = async (): Promise<void> => {
    timer?.cancel()
    ending ??= endClient(client)
    await ending
    lose()
  }
  const ping = async (): Promise<void> => {
    timer = systemClock.setTimer(pongMs, () => void end())
    await ask(client, 'select pg_notify($1, $2)', [channel, toPayload({ from: sender, hint: 'ping' })])
  }
  const rest = (): void => {
    timer?.cancel()
    timer = systemClock.setTimer(jitter(pingEveryMs, systemRandom), () => void ping().catch(end))
  }
  client.on('error', () => void end())
  client.on('notification', ({ payload }: PostgresNotification) => {
    const message = fromPayload(payload ?? '')
    if (message?.hint === 'ping') {
      if (message.from === sender && ending === undefined) {
        rest()
      }
    } else if (message !== undefined && message.from !== sender) {
      tell(message.hint)
    }
  })
  try {
    await ask(client, `listen ${quoted(channel)}`)
    // The first ping shows that the messages come through at all, which behind some poolers they do not.
    await ping()
    // Not before: somebody may be awaiting this, and the process must not end instead.
    client.unref?.()
  } catch (error) {
    await end()
    throw error
  }
  return { lost, end }
}
