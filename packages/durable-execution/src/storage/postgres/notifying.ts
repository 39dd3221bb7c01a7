/** Sends hints, several as one: while one is on its way the next ones gather. */

import { type DurableStorageChangeHint } from '../contract.ts'
import { mergeHints } from './hints.ts'

/** Resolves when a hint that says what was given has been sent. */
export type Notify = (hint: DurableStorageChangeHint) => Promise<void>

/** Sends by `send`, one message at a time: each takes a lock that all senders of a database share. */
export function createNotify(send: Notify): Notify {
  let gathered: DurableStorageChangeHint | undefined
  let next: Promise<void> | undefined
  let last: Promise<void> = Promise.resolve()
  return (hint) => {
    gathered = mergeHints(gathered, hint)
    next ??= last.then(async () => {
      const sent = gathered ?? {}
      gathered = undefined
      next = undefined
      await send(sent)
    })
    const own = next
    last = own.catch(() => {})
    return own
  }
}
