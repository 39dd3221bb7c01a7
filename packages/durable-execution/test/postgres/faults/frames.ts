/** Cuts what clients and servers of Postgres send into messages: just enough to know which message is which. */

/** A message: its kind, one letter, or an empty text for the first of a client, which has none. */
export type Frame = { kind: string; bytes: Buffer }

const LENGTH_BYTES = 4

/** Takes bytes as they come, and gives the messages that are whole. */
export function createFramer({ startsUntyped }: { startsUntyped: boolean }): (bytes: Buffer) => Array<Frame> {
  let isTyped = !startsUntyped
  let kept: Buffer = Buffer.alloc(0)
  return (bytes) => {
    kept = kept.length === 0 ? bytes : Buffer.concat([kept, bytes])
    const frames: Array<Frame> = []
    for (;;) {
      const kindBytes = isTyped ? 1 : 0
      if (kept.length < kindBytes + LENGTH_BYTES) {
        return frames
      }
      const length = kindBytes + kept.readInt32BE(kindBytes)
      if (kept.length < length) {
        return frames
      }
      frames.push({ kind: kept.toString('latin1', 0, kindBytes), bytes: kept.subarray(0, length) })
      kept = kept.subarray(length)
      isTyped = true
    }
  }
}

/** The statement that the client's message brings; undefined if it brings none. */
export function statementOf({ kind, bytes }: Frame): string | undefined {
  if (kind === 'Q') {
    return bytes.toString('utf8', 5, bytes.length - 1)
  }
  if (kind === 'P') {
    // The name of the statement comes first.
    const start = bytes.indexOf(0, 5) + 1
    return bytes.toString('utf8', start, bytes.indexOf(0, start))
  }
  return undefined
}

/** What the server's message says of the transaction: `I` for none, `T` for one, `E` for one that failed. */
export function transactionState({ kind, bytes }: Frame): string | undefined {
  return kind === 'Z' ? bytes.toString('latin1', 5, 6) : undefined
}
