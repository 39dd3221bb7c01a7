/** A database with finished and unfinished work of all kinds, and what becomes of it once it was damaged. */

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { type DurableExecutor, type DurableStorage } from '../../src/index.ts'
import { type ExecutionRow } from '../../src/machine/execution.ts'
import { createSqliteStorage } from '../../src/storage/sqlite/index.ts'
import { latest, untilTrue, waitingTask } from '../../src/testing/conformance/engine/lives.ts'
import { type EngineWorld, runInWorld } from '../../src/testing/conformance/engine/world.ts'
import { type Doors } from '../../src/base/doors.ts'
import { randomOf } from './chance.ts'
import { copyDatabase } from './files.ts'
import { rowsOf } from './finishing.ts'
import { assertDone, defineWork, enqueue, type Order } from './work.ts'

const FINISHED: ReadonlyArray<Order> = Array.from({ length: 12 }, (_, mark) => ({
  task: mark % 3 === 0 ? 'tree' : 'plain',
  given: { mark, ballast: 'i'.repeat(40), outputLength: mark === 1 ? 9_000 : 60 },
}))
const LEFT: ReadonlyArray<Order> = FINISHED.map(({ task, given }) => ({
  task,
  given: { ...given, mark: given.mark + 100 },
}))

const DAY_SECONDS = 110
// Far more than a day of this work takes: whoever asks so often goes round in circles.
const MOST_TRANSACTIONS = 6_000

/** A damaged database after a day: what was said, and what is there. */
export type Day = {
  /** What opening it, or reading all of it, failed with. */
  refusedWith: unknown
  /** What was logged as an error, and what the last health report named. */
  errors: Array<unknown>
  problems: Array<string>
  /** All rows in the end; undefined if they could not be read. */
  rows: Array<ExecutionRow> | undefined
  /** How often functions were called, by execution. */
  starts: Map<string, number>
  transactions: number
}

/** The database: once with its latest work in the log, and once with all of it in one file. */
export type Base = {
  withLog: string
  alone: string
  /** How many executions there are once all of it is done. */
  finishedCount: number
}

/** Makes the database in the folder, the same each time. */
export async function makeDatabase(folder: string): Promise<Base> {
  const path = join(folder, 'tasks.db')
  const withLog = join(folder, 'with-log.db')
  const database = new DatabaseSync(path)
  database.exec('pragma journal_mode = wal; pragma wal_autocheckpoint = 0')
  const storage = createSqliteStorage({ database })
  await storage.migrate()
  await runInWorld(
    () => Promise.resolve(storage),
    async (world) => {
      await leaveWork(world, () => database.exec('pragma wal_checkpoint(truncate)'))
    },
  )
  copyDatabase(path, withLog)
  database.exec('pragma wal_checkpoint(truncate)')
  const alone = join(folder, 'alone.db')
  copyDatabase(path, alone, [''])
  await storage.close()
  database.close()
  const { rows = [] } = await playDay(path)
  return { withLog, alone, finishedCount: rows.length }
}

/** Finishes some work, and leaves some ready, running, retried, and waiting for children. */
async function leaveWork(world: EngineWorld, onHalf: () => void): Promise<void> {
  const first = world.newExecutor({ doors: doorsOf('a') })
  const { plain, tree, starts } = defineWork(first)
  const { task: held, started } = waitingTask(first, 'held', { maxAttempts: 2 })
  const heldTree = defineHeldTree(first, held)
  await world.until(first.start())
  for (const order of FINISHED) {
    await assertDone(world, await enqueue(first, { plain, tree, starts }, order), order)
  }
  const failing = [1, 2].map((input) => first.enqueueTask(held, input))
  await Promise.all(failing)
  await untilTrue(world, () => started.length === 2)
  for (const { gate } of started) {
    gate.fail(new Error('The first attempt fails'))
  }
  await world.clock.advance('1s')
  onHalf()
  for (const input of [1, 2, 3]) {
    await first.enqueueTask(heldTree, input)
  }
  await untilTrue(world, () => started.length >= 2 + 3 * 2)
  latest(started).gate.open('done')
  await world.clock.advance('1s')
  world.kill(first)
  const client = world.newExecutor({ doors: doorsOf('b') })
  const work = defineWork(client)
  for (const order of LEFT) {
    await enqueue(client, work, order)
  }
}

function defineHeldTree(
  executor: DurableExecutor,
  child: { id: string },
): { id: string; readonly '~types'?: { input: number; output: unknown } } {
  return executor.parentTask({
    id: 'held_tree',
    timeoutMs: 3_600_000,
    runParent: (_ctx, input: number) => ({
      output: input,
      childrenTasks: [1, 2].map((one) => ({ task: child, input: one })),
    }),
  })
}

/** Opens the database, and lets an executor work for a while; nothing that happens to it is thrown. */
export async function playDay(path: string): Promise<Day> {
  await using storage = createSqliteStorage({ path })
  const day: Day = {
    refusedWith: undefined,
    errors: [],
    problems: [],
    rows: undefined,
    starts: new Map(),
    transactions: 0,
  }
  try {
    await rowsOf(storage)
  } catch (error) {
    day.refusedWith = error
  }
  await runInWorld(
    () => Promise.resolve(storage),
    async (world) => {
      const executor = world.newExecutor({
        storage: countedStorage(storage, day),
        expireMs: 20_000,
        doors: doorsOf('c'),
      })
      defineWork(executor, day.starts)
      const held = executor.task({
        id: 'held',
        timeoutMs: 60_000,
        run: (ctx) => {
          day.starts.set(ctx.executionId, (day.starts.get(ctx.executionId) ?? 0) + 1)
          return 'done'
        },
      })
      defineHeldTree(executor, held)
      await world.until(executor.start())
      for (let second = 0; second < DAY_SECONDS && day.transactions < MOST_TRANSACTIONS; second += 5) {
        await world.clock.advance('5s')
      }
      day.problems = executor.health().problems
      // As if its process died: what cannot be stored would be tried again until its lease lapses.
      world.kill(executor)
      day.errors = world.logs
        .filter(({ level }) => level === 'error')
        .map(({ message, meta }) => ({ message, meta }))
    },
    { isChecked: false },
  )
  day.rows = await rowsOf(storage).catch(() => undefined)
  return day
}

/** The storage, which counts what it is asked, and stops answering when that is too much. */
function countedStorage(storage: DurableStorage, day: Day): DurableStorage {
  return {
    withTransaction: async (fn, hint) => {
      day.transactions += 1
      if (day.transactions > MOST_TRANSACTIONS) {
        return await new Promise<never>(() => {})
      }
      return await storage.withTransaction(fn, hint)
    },
  }
}

/** Chance and names that are the same each time. A later letter gives ids that sort after those of an earlier one. */
function doorsOf(letter: string): Pick<Doors, 'random' | 'ids'> {
  let count = 0
  const next = (): string => {
    count += 1
    return `${letter}${String(count).padStart(31, '0')}`
  }
  return {
    random: randomOf(letter.charCodeAt(0)),
    ids: { newExecutionId: () => `te_${next()}`, newId: next },
  }
}
