/** A file of bookings as CSV: made, cut into chunks of whole records, and read. Notes may hold commas, quotes and line breaks. */

import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'

import { between, type Random } from '../show/random.ts'

/** A part of the file, in bytes; `to` is the first that does not belong to it. */
export type Chunk = { from: number; to: number }

export type Totals = { bookings: number; cents: number }

const NOTES = ['Coffee', 'Rent, first half', 'A "rare" book', 'Two\nlines', 'Grüße, ☕', '']
const QUOTE = 0x22
const LINE_END = 0x0a

/** Writes so many bookings, and gives what they come to. */
export async function writeBookings(path: string, bookings: number, random: Random): Promise<Totals> {
  const file = createWriteStream(path)
  let cents = 0
  for (let number = 1; number <= bookings; number += 1) {
    const amount = between(random, -50_000, 50_000)
    const note = NOTES[between(random, 0, NOTES.length - 1)] ?? ''
    cents += amount
    if (!file.write(`${number},${amount},"${note.replaceAll('"', '""')}"\n`)) {
      await once(file, 'drain')
    }
  }
  file.end()
  await once(file, 'close')
  return { bookings, cents }
}

/** Cuts the file into so many chunks, only where records end. */
export async function findChunks(path: string, count: number): Promise<Array<Chunk>> {
  const { size } = await stat(path)
  const chunks: Array<Chunk> = []
  let from = 0
  let at = 0
  let isQuoted = false
  for await (const bytes of createReadStream(path) as AsyncIterable<Buffer>) {
    for (const byte of bytes) {
      at += 1
      // A quote within quotes is written twice, and so changes nothing.
      isQuoted = byte === QUOTE ? !isQuoted : isQuoted
      if (byte === LINE_END && !isQuoted && at >= ((chunks.length + 1) * size) / count) {
        chunks.push({ from, to: at })
        from = at
      }
    }
  }
  return chunks
}

/** What the bookings of a chunk come to. */
export async function sumUp(path: string, { from, to }: Chunk): Promise<Totals> {
  const bytes = Buffer.alloc(to - from)
  const file = await open(path)
  try {
    await file.read(bytes, 0, bytes.length, from)
  } finally {
    await file.close()
  }
  const records = parse(bytes.toString())
  return { bookings: records.length, cents: records.reduce((sum, [, cents]) => sum + Number(cents), 0) }
}

/** Reads records: fields between commas, in quotes where they hold one of the special characters. */
function parse(text: string): Array<Array<string>> {
  const records: Array<Array<string>> = []
  let record: Array<string> = []
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n)/g)) {
    record.push(quoted?.replaceAll('""', '"') ?? plain ?? '')
    if (end === '\n') {
      records.push(record)
      record = []
    }
  }
  return records
}
