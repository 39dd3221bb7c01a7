/** What NOTIFY carries: who sends it, and what may have changed. */

import { type DurableStorageChangeHint } from '../contract.ts'

/** A message on the channel. A ping is heard by its sender alone. */
export type Message = { from: string; hint: DurableStorageChangeHint | 'ping' }

// Postgres refuses a payload of 8,000 bytes.
const PAYLOAD_BYTES = 7_999

/** The message as text. Ids that do not fit are left out, and the hint then says that anything may have changed. */
export function toPayload({ from, hint }: Message): string {
  if (hint === 'ping') {
    return JSON.stringify({ from, ping: true })
  }
  // Under load there are many: that they do not fit is seen without writing them.
  const characters = (hint.executionIds ?? []).reduce((sum, id) => sum + id.length, 0)
  if (characters > PAYLOAD_BYTES) {
    return JSON.stringify({ from, ready: true })
  }
  const payload = JSON.stringify({ from, ...hint })
  // Texts that come from anywhere may be longer in bytes than in characters.
  return new TextEncoder().encode(payload).length <= PAYLOAD_BYTES && payload.isWellFormed()
    ? payload
    : JSON.stringify({ from, ready: true })
}

/** The message that the text is; undefined for what somebody else has sent. */
export function fromPayload(payload: string): Message | undefined {
  let sent: unknown
  try {
    sent = JSON.parse(payload)
  } catch {
    return undefined
  }
  const { from, ping, ready, executionIds } = (sent ?? {}) as Record<string, unknown>
  if (typeof from !== 'string') {
    return undefined
  }
  if (ping === true) {
    return { from, hint: 'ping' }
  }
  const hint: DurableStorageChangeHint = {}
  if (ready === true) {
    hint.ready = true
  }
  if (Array.isArray(executionIds) && executionIds.every((id) => typeof id === 'string')) {
    hint.executionIds = executionIds
  }
  return { from, hint }
}

/** One hint that says what both say. */
export function mergeHints(
  one: DurableStorageChangeHint | undefined,
  other: DurableStorageChangeHint,
): DurableStorageChangeHint {
  const ids = [...(one?.executionIds ?? []), ...(other.executionIds ?? [])]
  return {
    ...(one?.ready === true || other.ready === true ? { ready: true } : {}),
    ...(ids.length > 0 ? { executionIds: [...new Set(ids)] } : {}),
  }
}
