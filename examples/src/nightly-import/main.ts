/** The show: a thousand chunks of a file are worked off by two processes, which are killed again and again. */

import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { DurableExecutor } from 'durable-execution'
import { createSqliteStorage } from 'durable-execution/sqlite'

import { Killer } from '../show/killer.ts'
import { Program } from '../show/programs.ts'
import { runShow } from '../show/show.ts'
import { Books } from './books.ts'
import { type Totals, writeBookings } from './csv.ts'
import { defineTasks, type Import } from './tasks.ts'

const CHUNKS = 1_000
const BOOKINGS = 50_000

await runShow('nightly-import', async ({ folder, kills, random, say }) => {
  const path = join(folder, 'bookings.csv')
  const written = await writeBookings(path, BOOKINGS, random('file'))
  say(`${path} has ${BOOKINGS} bookings in ${(await stat(path)).size} bytes`)
  const args = [join(folder, 'imports.db'), join(folder, 'books.db')] as const
  const books = new Books(args[1])
  const workers = [1, 2].map(
    (number) => new Program(`worker ${number}`, join(import.meta.dirname, 'worker.ts'), args),
  )
  const killer = new Killer({ programs: workers, kills, mostCalls: 200, random: random('kills'), say })
  for (const worker of workers) {
    worker.start()
  }
  try {
    const totals = await importFile(args[0], books, { path, chunks: CHUNKS }, (chunks) => {
      killer.noteCalls(chunks)
    })
    const { chunks, repeats, ...booked } = books.read()
    assert.deepEqual(totals, written, 'what the task gave')
    assert.deepEqual(booked, written, 'what is in the books')
    assert.equal(chunks, CHUNKS, 'chunks in the books')
    return (
      `${BOOKINGS} bookings in ${CHUNKS} chunks; 2 workers killed ${killer.killed} times, ` +
      `${repeats} bookings repeated, nothing booked twice`
    )
  } finally {
    await Promise.all(workers.map(async (worker) => await worker.stop()))
    books.close()
  }
})

/** Enqueues the import and waits for it; `onProgress` is told of how much is in the books, whenever it is more. */
async function importFile(
  database: string,
  books: Books,
  input: Import,
  onProgress: (chunks: number) => void,
): Promise<Totals> {
  const storage = createSqliteStorage({ path: database })
  const executor = new DurableExecutor(storage)
  try {
    const handle = await executor.enqueueTask(defineTasks(executor, books), input)
    const ending = handle.waitAndGetTaskFinishedExecution()
    let isOver = false
    const over = ending.finally(() => {
      isOver = true
    })
    for (let before = 0; !isOver; await Promise.race([over, pause(20)])) {
      const { chunks } = books.read()
      if (chunks > before) {
        onProgress(chunks)
      }
      before = chunks
    }
    const end = await ending
    assert.equal(end.status, 'completed', 'error' in end ? end.error.message : '')
    return end.status === 'completed' ? end.output : { bookings: 0, cents: 0 }
  } finally {
    await executor.shutdown()
    await storage.close()
  }
}
