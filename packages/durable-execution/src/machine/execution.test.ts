/** The row: how it begins, how updates change it, and what it reports to its parent. */

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  childrenCount,
  createDurableTaskExecutionStorageObject,
  type ExecutionRow,
  type ExecutionUpdate,
} from './execution.ts'
import { ACTIVE_STATUSES, ALL_STATUSES, FINISHED_STATUSES, isFinishedStatus } from './status.ts'
import { getDurableTaskExecutionStorageObjectParentError } from './parent-error.ts'
import { applyUpdate, mergeUpdates } from './update.ts'

const now = new Date(10_000)

function row(changes: Partial<ExecutionRow> = {}): ExecutionRow {
  return {
    ...createDurableTaskExecutionStorageObject({
      now,
      taskId: 'sum',
      executionId: 'te_1',
      retryOptions: { maxAttempts: 1 },
      sleepMsBeforeRun: 250,
      timeoutMs: 1_000,
      runInput: '[1,2]',
    }),
    ...changes,
  }
}

const stored = (message: string): NonNullable<ExecutionRow['error']> => ({
  errorType: 'timed_out',
  message,
  isRetryable: true,
})

describe('the statuses', () => {
  test('are ten, each either active or finished', () => {
    expect([ALL_STATUSES.length, new Set([...ACTIVE_STATUSES, ...FINISHED_STATUSES]).size]).toEqual([10, 10])
  })

  test.each(ALL_STATUSES)('say whether they are final: %s', (status) => {
    expect(isFinishedStatus(status)).toBe((FINISHED_STATUSES as ReadonlyArray<string>).includes(status))
  })
})

describe('a new row', () => {
  test('is ready, due after its sleep, and has nothing else', () => {
    expect(row()).toStrictEqual({
      taskId: 'sum',
      executionId: 'te_1',
      retryOptions: { maxAttempts: 1 },
      sleepMsBeforeRun: 250,
      timeoutMs: 1_000,
      runInput: '[1,2]',
      childrenTasksCompletedCount: 0,
      status: 'ready',
      isClosed: false,
      needsPromiseCancellation: false,
      retryAttempts: 0,
      startAt: new Date(10_250),
      createdAt: now,
      updatedAt: now,
    })
  })

  test('knows its root and its parent when given', () => {
    const rootTask = { taskId: 'root', executionId: 'te_r' }
    const parentTask = { taskId: 'parent', executionId: 'te_p', isFinalizeTask: true }
    const created = createDurableTaskExecutionStorageObject({ ...row(), now, rootTask, parentTask })
    expect(created).toMatchObject({ rootTask, parentTask })
  })
})

// Updates as somebody may write them: `undefined` for "leave it", flags that say false, and an error set
// and unset at once.
const asWritten = (update: object): ExecutionUpdate => update as ExecutionUpdate
const date = fc.nat(100).map((ms) => new Date(ms))
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })
const updates = fc
  .record(
    {
      error: maybe(fc.constantFrom(stored('a'), stored('b'))),
      unsetError: maybe(fc.boolean()),
      expiresAt: maybe(date),
      unsetExpiresAt: maybe(fc.boolean()),
      status: maybe(fc.constantFrom(...ALL_STATUSES)),
      retryAttempts: maybe(fc.nat(3)),
      isClosed: maybe(fc.boolean()),
      output: maybe(fc.constantFrom('', 'x')),
      startedAt: maybe(date),
    },
    { requiredKeys: [] },
  )
  .chain((update) => date.map((updatedAt) => asWritten({ ...update, updatedAt })))
const rows = fc
  .record({ error: fc.constant(stored('old')), expiresAt: date }, { requiredKeys: [] })
  .map((changes) => row(changes))

describe('an update', () => {
  test('changes what it names and leaves the rest', () => {
    expect(applyUpdate(row(), { status: 'running', updatedAt: new Date(1) })).toStrictEqual(
      row({ status: 'running', updatedAt: new Date(1) }),
    )
  })

  test('does not change the row it is given', () => {
    const before = row({ error: stored('old') })
    applyUpdate(before, { unsetError: true, status: 'running', updatedAt: new Date(1) })
    expect(before).toStrictEqual(row({ error: stored('old') }))
  })

  test('leaves what it says undefined', () => {
    const update = { status: undefined, error: undefined, updatedAt: now } as unknown as ExecutionUpdate
    expect(applyUpdate(row({ error: stored('old') }), update)).toStrictEqual(row({ error: stored('old') }))
  })

  test('clears error and expiresAt only by their flags', () => {
    const before = row({ error: stored('old'), expiresAt: now })
    expect(applyUpdate(before, { unsetError: true, unsetExpiresAt: true, updatedAt: now })).toEqual(row())
  })

  test('never leaves a trace of its flags in the row', () => {
    fc.assert(
      fc.property(rows, updates, (before, update) => {
        const after = applyUpdate(before, update)
        expect(Object.keys(after).some((key) => key.startsWith('unset'))).toBe(false)
      }),
    )
  })

  test('merged with a second one does what the two do one after the other', () => {
    fc.assert(
      fc.property(rows, updates, updates, (before, first, second) => {
        expect(applyUpdate(before, mergeUpdates(first, second))).toEqual(
          applyUpdate(applyUpdate(before, first), second),
        )
      }),
      { numRuns: 2_000 },
    )
  })

  test('is not changed by being merged', () => {
    fc.assert(
      fc.property(updates, updates, (first, second) => {
        const before = [structuredClone(first), structuredClone(second)]
        mergeUpdates(first, second)
        expect([first, second]).toStrictEqual(before)
      }),
    )
  })
})

describe('merging two updates', () => {
  const merged = (first: object, second: object): ExecutionUpdate =>
    mergeUpdates(asWritten({ ...first, updatedAt: now }), asWritten({ ...second, updatedAt: now }))

  test.each<[string, object, object, object]>([
    [
      'what is set and then unset is only unset',
      { error: stored('a') },
      { unsetError: true },
      { unsetError: true },
    ],
    [
      'what is unset and then set is only set',
      { unsetError: true },
      { error: stored('a') },
      { error: stored('a') },
    ],
    ['what was unset stays so', { unsetExpiresAt: true }, { losses: 1 }, { unsetExpiresAt: true, losses: 1 }],
  ])('%s', (_, first, second, expected) => {
    expect(merged(first, second)).toEqual({ ...expected, updatedAt: now })
  })

  test('names no field that neither of them names', () => {
    expect(Object.keys(merged({}, { unsetError: true }))).not.toContain('error')
    expect(Object.keys(merged({}, { error: stored('a') }))).not.toContain('unsetError')
  })

  test('what is unset and was not there does not appear', () => {
    const update = { unsetError: true, unsetExpiresAt: true, updatedAt: now }
    expect(applyUpdate(row(), update)).toStrictEqual(row())
  })
})

describe('the count of children', () => {
  const two = [
    { taskId: 'child', executionId: 'te_a' },
    { taskId: 'child', executionId: 'te_b' },
  ]

  test.each([
    ['its own field', { childrenTasksCount: 5, childrenTasks: two }, 5],
    ['the list', { childrenTasks: two }, 2],
    ['nothing', {}, 0],
  ])('is taken from %s', (_, changes, count) => {
    expect(childrenCount(row(changes))).toBe(count)
  })

  test('is never less than the completed ones', () => {
    expect(() => childrenCount(row({ childrenTasks: two, childrenTasksCompletedCount: 3 }))).toThrow(
      'te_1 counts more children than it has',
    )
  })
})

describe('what a row that ended badly reports to its parent', () => {
  const generic = (message: string): object => ({ errorType: 'generic', message, isRetryable: false })
  const finalizeTask = { taskId: 'finish', executionId: 'te_f' }
  const childrenTasksErrors = ['te_a', 'te_b'].map((executionId, index) => ({
    index,
    taskId: 'child',
    executionId,
    error: stored(`broke ${index}`),
  }))

  test.each<[string, Partial<ExecutionRow>, object]>([
    [
      'its error, before all else',
      { error: stored('own'), finalizeTask, finalizeTaskError: stored('finish'), childrenTasksErrors },
      stored('own'),
    ],
    [
      'the failure of its finalize task',
      { finalizeTask, finalizeTaskError: stored('broke'), childrenTasksErrors },
      generic('Finalize task with id te_f failed: broke'),
    ],
    [
      'the failure of a finalize task that it does not name',
      { finalizeTaskError: stored('broke') },
      generic('Finalize task with id  failed: broke'),
    ],
    [
      'the errors of its children, a line each',
      { childrenTasksErrors },
      generic(
        'Children task errors:\n  Child task with id te_a failed: broke 0\n  Child task with id te_b failed: broke 1',
      ),
    ],
    [
      'an unknown error, when it has an empty list of errors',
      { childrenTasksErrors: [] },
      generic('Unknown error'),
    ],
    ['an unknown error, when it has none', {}, generic('Unknown error')],
  ])('is %s', (_, changes, expected) => {
    expect(getDurableTaskExecutionStorageObjectParentError(row(changes))).toEqual(expected)
  })
})
