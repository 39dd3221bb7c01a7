/** One bit of a file flipped, anywhere: no crash, no endless round, no error that says nothing, and no work that is done twice over. */

import assert from 'node:assert/strict'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { type ExecutionRow } from '../../src/machine/execution.ts'
import { checkWorld } from '../../src/machine/invariants.ts'
import { type Random } from '../../src/base/random.ts'
import { randomOf, wholeBetween } from './chance.ts'
import { type Day, makeDatabase, playDay } from './damaged-work.ts'
import { newFolder } from './files.ts'

const HEADER_BYTES = 100
const SEEDS = 16

// A quiet day takes about 400, and a loop that fails all the time some hundred more.
const MOST_TRANSACTIONS = 1_500
// One attempt, two retries, three losses.
const MOST_STARTS = 6

// What SQLite says of what it notices, and the engine of what it does.
const NOTICED =
  /malformed|not a database|unsupported file format|readonly|unable to open|no such (?:column|table|index)|is damaged|Error deserializing/

let folder: string
let base: Awaited<ReturnType<typeof makeDatabase>>

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'durable-execution-disk-'))
  base = await makeDatabase(folder)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What became of the work: told that something is wrong, all of it done, or neither. */
type End = 'noticed' | 'done' | 'silent'

describe.each([
  [
    'the header',
    (bytes: Buffer, random: Random) => wholeBetween(random, 0, Math.min(HEADER_BYTES, bytes.length)),
  ],
  ['a page', (bytes: Buffer, random: Random) => usedByte(bytes, random)],
] as const)('in %s of the database', (_, pick) => {
  test('it is noticed, or the work is done, or what it hit is left alone', async () => {
    const ends = { noticed: 0, done: 0, silent: 0 }
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const { path, place } = flip(base.alone, '', seed, pick)
      const day = await playDay(path)
      try {
        ends[endOf(day)] += 1
      } catch (error) {
        throw new Error(`The bit flipped at ${place}: ${String(error)}`, { cause: error })
      }
    }
    expect(ends.done).toBeGreaterThan(SEEDS / 4)
    expect(ends.noticed).toBeGreaterThan(0)
  })
})

test('in the log, what was committed before it is there, and is done', async () => {
  let cut = 0
  for (let seed = 0; seed < SEEDS; seed += 1) {
    const { path, place } = flip(base.withLog, '-wal', seed, (bytes, random) =>
      wholeBetween(random, 0, bytes.length),
    )
    const day = await playDay(path)
    const rows = day.rows ?? []
    expect([day.refusedWith, day.problems, day.errors], place).toEqual([undefined, [], []])
    expect(checkWorld(rows), place).toEqual([])
    expect(
      rows.filter((row) => !isDone(row)),
      place,
    ).toEqual([])
    cut += rows.length < base.finishedCount ? 1 : 0
  }
  expect(cut, 'some of them cost the transactions that followed').toBeGreaterThan(SEEDS / 4)
})

test('in what the processes share beside the log, it costs nothing', async () => {
  const path = join(newFolder(), 'tasks.db')
  for (const ending of ['', '-wal']) {
    copyFileSync(base.withLog + ending, path + ending)
  }
  // Whoever opens the database first makes it anew, so that whatever is there is of no importance.
  writeFileSync(`${path}-shm`, Buffer.alloc(32_768, 0xa5))
  const day = await playDay(path)
  expect(day.rows?.filter((row) => !isDone(row))).toEqual([])
  expect(day.rows).toHaveLength(base.finishedCount)
})

/** A copy of the database with one bit flipped in the file of that ending; says where. */
function flip(
  from: string,
  ending: '' | '-wal',
  seed: number,
  pick: (bytes: Buffer, random: Random) => number,
): { path: string; place: string } {
  const path = join(newFolder(), 'tasks.db')
  for (const one of ['', '-wal']) {
    if (existsSync(from + one)) {
      copyFileSync(from + one, path + one)
    }
  }
  const random = randomOf(seed)
  const bytes = readFileSync(path + ending)
  const at = pick(bytes, random)
  const bit = wholeBetween(random, 0, 8)
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at)
  writeFileSync(path + ending, bytes)
  return { path, place: `byte ${at}, bit ${bit} (seed ${seed})` }
}

/** A byte that is not part of the empty room of a page. */
function usedByte(bytes: Buffer, random: Random): number {
  for (;;) {
    const at = wholeBetween(random, HEADER_BYTES, bytes.length)
    if (bytes.readUInt8(at) !== 0) {
      return at
    }
  }
}

function endOf(day: Day): End {
  assert.ok(day.transactions < MOST_TRANSACTIONS, `the storage was asked ${day.transactions} times`)
  const most = Math.max(0, ...day.starts.values())
  assert.ok(most <= MOST_STARTS, `a function was called ${most} times`)
  const said = [day.refusedWith, ...day.problems, ...day.errors]
    .map((one) => inspect(one, { depth: 3 }))
    .join('\n')
  assert.doesNotMatch(said, /TypeError|RangeError|ReferenceError|This is a bug/)
  if (NOTICED.test(said)) {
    return 'noticed'
  }
  assert.equal(said, 'undefined', 'whatever is said names the damage')
  const rows = day.rows ?? []
  return rows.length === base.finishedCount && rows.every(isDone) ? 'done' : 'silent'
}

function isDone({ status, isClosed }: ExecutionRow): boolean {
  return status === 'completed' && isClosed
}
