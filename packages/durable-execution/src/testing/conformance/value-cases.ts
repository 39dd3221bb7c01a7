/** Conformance: which values come back exactly, and which may at most be refused. */

import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'

import { type ConformanceCase } from './case.ts'
import {
  assertRow,
  assertStored,
  at,
  byIds,
  findOne,
  insert,
  openWith,
  type Row,
  rowOf,
  update,
} from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

/** Writes the fields by an insert and by an update, and expects them back. */
function survives(name: string, samples: Array<Partial<Row>>): ConformanceCase {
  return {
    name,
    rule: STORAGE_RULES.values,
    run: async (world) => {
      const rows = samples.map((fields, index) => rowOf(`te_${index}`, fields))
      const storage = await openWith(world, rows)
      await assertStored(storage, rows)
    },
  }
}

const textsIn = (text: string): Partial<Row> => ({
  runInput: text,
  runOutput: text,
  output: text,
  error: { errorType: 'generic', message: text, isRetryable: true },
  finalizeTaskError: { errorType: 'generic', message: text, isRetryable: false },
  childrenTasksErrors: [
    {
      index: 0,
      taskId: 'child',
      executionId: 'te_child',
      error: { errorType: 'generic', message: text, isRetryable: true },
    },
  ],
})

/** A case for values that a storage may refuse, but may not change. */
function survivesOrIsRefused(name: string, samples: Array<Partial<Row>>): ConformanceCase {
  return {
    name,
    rule: STORAGE_RULES.values,
    run: async (world) => {
      const storage = await openWith(world, [])
      const kept: Array<Row> = []
      for (const [index, fields] of samples.entries()) {
        const row = rowOf(`te_${index}`, fields)
        const [end] = await Promise.allSettled([insert(storage, [row])])
        if (end.status === 'fulfilled') {
          kept.push(row)
        }
      }
      await assertStored(storage, kept)
    },
  }
}

const TEXTS = [
  '',
  ' ',
  ' spaces before, after and a tab\t ',
  'null',
  'undefined',
  '0',
  '1e3',
  `'single', "double", \`back\` and ''doubled''`,
  String.raw`back\slash, \n, \u0041, \x41, \N and \\`,
  'lines\nof\r\nall\rkinds\u2028and\u2029more',
  '%s ? ?1 $1 :name @name {0} -- /* */ ; drop table task_executions',
  'control \u0001\u0008\u000B\u001B\u001C\u001D\u001E\u001F\u007F\u0085 characters',
  '\uFEFFa byte order mark',
  'e\u0301 is not \u00E9, \u212B is not \u00C5',
  'Ελληνικά, العربية, 日本語, ไทย, 한국어',
  '👩‍👩‍👧‍👦 🏳️‍🌈 𝒳 \u{10FFFF} \uFFFF \uFFFD',
  '{"__proto__":{"polluted":true},"moment":1}',
  '[{"a,b":"{}"},"\\u0000"]',
]

const YEAR_MS = 365 * 24 * 60 * 60 * 1_000

export const valueCases: ReadonlyArray<ConformanceCase> = [
  survives('texts of every kind come back exactly', TEXTS.map(textsIn)),
  {
    name: 'texts of every kind that an update writes come back exactly',
    rule: STORAGE_RULES.values,
    run: async (world) => {
      const storage = await openWith(
        world,
        TEXTS.map((_, index) => rowOf(`te_${index}`)),
      )
      for (const [index, text] of TEXTS.entries()) {
        const { runInput: _, ...texts } = textsIn(text)
        await update(storage, byIds(`te_${index}`), { ...texts, updatedAt: at(0) })
      }
      await assertStored(
        storage,
        TEXTS.map((text, index) => {
          const { runInput: _, ...texts } = textsIn(text)
          return rowOf(`te_${index}`, texts)
        }),
      )
    },
  },
  survivesOrIsRefused(
    'texts with NUL or half of a surrogate pair come back exactly or are refused',
    ['a\u0000b', '\u0000', 'a\uD83Db', '\uDE00', 'tail \uD83D', '\uDE00\uD83D'].map(textsIn),
  ),
  {
    name: 'a text of ten million characters comes back exactly',
    rule: STORAGE_RULES.values,
    run: async (world) => {
      const text = 'ten chars\u00E9'.repeat(1_000_000)
      const storage = await openWith(world, [rowOf('te_1', { runInput: text })])
      await update(storage, byIds('te_1'), { output: text, updatedAt: at(0) })
      const row = await findOne(storage, 'te_1')
      // Compared like this, a failure does not print them.
      assert.ok(row.runInput === text, 'runInput came back changed')
      assert.ok(row.output === text, 'output came back changed')
    },
  },
  survives(
    'moments come back to the millisecond, near and far',
    [
      0,
      1,
      999,
      -1,
      -1_001,
      Date.UTC(1900, 0, 1),
      Date.UTC(1969, 11, 31, 23, 59, 59, 999),
      Date.UTC(2038, 0, 19, 3, 14, 8),
      Date.UTC(2024, 2, 31, 1, 30, 0, 1),
      Date.UTC(2124, 5, 1, 12, 0, 0, 123),
      Date.UTC(9999, 11, 31, 23, 59, 59, 999),
    ].map((ms) => ({
      startAt: new Date(ms),
      startedAt: new Date(ms),
      finishedAt: new Date(ms),
      expiresAt: new Date(ms),
      createdAt: new Date(ms),
      updatedAt: new Date(ms),
    })),
  ),
  survivesOrIsRefused(
    'moments at the ends of time come back exactly or are refused',
    [8.64e15, -8.64e15, Date.UTC(-1, 0, 1), Number.NaN].map((ms) => ({ startAt: new Date(ms) })),
  ),
  survives('numbers come back exactly, large ones too', [
    { timeoutMs: 1, sleepMsBeforeRun: 0, retryAttempts: 0 },
    { timeoutMs: 2 ** 31, sleepMsBeforeRun: 2 ** 32 + 1, retryAttempts: 2 ** 31 - 1 },
    { timeoutMs: 100 * YEAR_MS, sleepMsBeforeRun: 100 * YEAR_MS, childrenTasksCompletedCount: 100_000 },
    { timeoutMs: Number.MAX_SAFE_INTEGER },
  ]),
  survives('retry options come back exactly as they were given', [
    { retryOptions: { maxAttempts: 0 } },
    { retryOptions: { maxAttempts: 3, baseDelayMs: 0 } },
    { retryOptions: { maxAttempts: 3, delayMultiplier: 0.1 } },
    { retryOptions: { maxAttempts: 3, baseDelayMs: 1, delayMultiplier: 1.0000000000000002, maxDelayMs: 0 } },
    { retryOptions: { maxAttempts: 2 ** 53 - 1, maxDelayMs: 100 * YEAR_MS } },
  ]),
  survives('parents and roots come back exactly as they were given', [
    { parentTask: { taskId: 'parent', executionId: 'te_parent' } },
    { parentTask: { taskId: 'parent', executionId: 'te_parent', isFinalizeTask: true } },
    { rootTask: { taskId: 'root', executionId: 'te_root' } },
  ]),
  survives('errors of every type come back exactly', [
    { error: { errorType: 'generic', message: 'a', isRetryable: true } },
    { error: { errorType: 'timed_out', message: 'b', isRetryable: false } },
    { error: { errorType: 'cancelled', message: 'c', isRetryable: false } },
  ]),
  survives('an empty list is not an absent one', [{ childrenTasks: [], childrenTasksErrors: [] }, {}]),
  {
    name: 'a list of 100,000 children comes back in its order',
    rule: STORAGE_RULES.values,
    run: async (world) => {
      const childrenTasks = Array.from({ length: 100_000 }, (_, index) => ({
        taskId: 'child',
        executionId: `te_child_${(index * 7_919) % 100_000}`,
      }))
      const storage = await openWith(world, [rowOf('te_1'), rowOf('te_2', { childrenTasks })])
      await update(storage, byIds('te_1'), { childrenTasks, updatedAt: at(0) })
      await update(storage, byIds('te_1', 'te_2'), { childrenTasksCompletedCount: 1, updatedAt: at(0) })
      for (const id of ['te_1', 'te_2']) {
        const { childrenTasks: children, ...row } = await findOne(storage, id)
        assertRow(row, rowOf(id, { childrenTasksCompletedCount: 1 }))
        assert.ok(isDeepStrictEqual(children, childrenTasks), 'the list came back changed')
      }
    },
  },
]
