/** The write-ahead log of SQLite as a file: where its frames begin, and which of them end a transaction. */

import { readFileSync } from 'node:fs'

const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
const PAGE_SIZE_AT = 8

/** A frame: one page as a transaction left it. */
export type Frame = {
  /** Where it ends in the file. */
  endsAt: number
  /** Whether a transaction is whole with it. */
  isCommit: boolean
}

/** The frames of the log, which was never begun anew. */
export function framesOf(path: string): Array<Frame> {
  const log = readFileSync(path)
  const frameBytes = FRAME_HEADER_BYTES + log.readUInt32BE(PAGE_SIZE_AT)
  const frames: Array<Frame> = []
  for (let at = HEADER_BYTES; at + frameBytes <= log.length; at += frameBytes) {
    // The second word is the size of the database after a commit, and 0 in all other frames.
    frames.push({ endsAt: at + frameBytes, isCommit: log.readUInt32BE(at + 4) > 0 })
  }
  return frames
}
