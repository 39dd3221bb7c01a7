/** Conformance: what an update changes, and what it leaves. */

import assert from 'node:assert/strict'

import { type ConformanceCase } from './case.ts'
import {
  assertIds,
  assertRow,
  assertStored,
  at,
  byIds,
  find,
  findOne,
  fullRow,
  openWith,
  rowOf,
  runningRow,
  type Update,
  update,
  type Where,
} from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

const error = { errorType: 'cancelled', message: 'other', isRetryable: false } as const

/** A new value for each field that an update can set. */
const NEW_VALUES: Required<Omit<Update, 'unsetError' | 'unsetExpiresAt' | 'updatedAt'>> = {
  runOutput: 'new run output',
  output: 'new output',
  childrenTasksCompletedCount: 41,
  childrenTasks: [{ taskId: 'new_child', executionId: 'te_new_child' }],
  childrenTasksErrors: [{ index: 3, taskId: 'new_child', executionId: 'te_new_child', error }],
  finalizeTask: { taskId: 'new_finalize', executionId: 'te_new_finalize' },
  finalizeTaskError: error,
  error,
  status: 'waiting_for_finalize_task',
  isClosed: false,
  needsPromiseCancellation: false,
  retryAttempts: 42,
  startAt: at(101),
  startedAt: at(102),
  finishedAt: at(103),
  expiresAt: at(104),
  leaseId: 'new_lease',
  executorId: 'new_executor',
  losses: 43,
  childrenTasksCount: 1,
  childrenTasksFailedCount: 1,
  suspendedFor: [{ kind: 'step', name: 'again', until: 105 }],
  hasCompensations: false,
}

export const updateCases: ReadonlyArray<ConformanceCase> = [
  ...Object.entries(NEW_VALUES).map(([field, value]): ConformanceCase => ({
    name: `an update of ${field} changes that field alone, whether or not it was set before`,
    rule: STORAGE_RULES.update,
    run: async (world) => {
      const bare = rowOf('te_bare', { isClosed: true, needsPromiseCancellation: true })
      const storage = await openWith(world, [fullRow('te_full'), bare, fullRow('te_other')])
      await update(storage, byIds('te_full', 'te_bare'), { [field]: value, updatedAt: at(7) })
      await assertStored(storage, [
        { ...fullRow('te_full'), [field]: value, updatedAt: at(7) },
        { ...bare, [field]: value, updatedAt: at(7) },
        fullRow('te_other'),
      ])
    },
  })),
  {
    name: 'an update of all fields at once changes all of them',
    rule: STORAGE_RULES.update,
    run: async (world) => {
      const storage = await openWith(world, [fullRow('te_1'), rowOf('te_2')])
      await update(storage, byIds('te_1', 'te_2'), { ...NEW_VALUES, updatedAt: at(7) })
      await assertStored(storage, [
        { ...fullRow('te_1'), ...NEW_VALUES, updatedAt: at(7) },
        { ...rowOf('te_2'), ...NEW_VALUES, updatedAt: at(7) },
      ])
    },
  },
  {
    name: 'an update leaves fields that are undefined as they are',
    rule: STORAGE_RULES.update,
    run: async (world) => {
      const storage = await openWith(world, [fullRow('te_1')])
      const nothing = Object.fromEntries(Object.keys(NEW_VALUES).map((field) => [field, undefined]))
      await update(storage, byIds('te_1'), {
        ...nothing,
        ...({ unsetError: undefined, unsetExpiresAt: undefined } as object),
        updatedAt: at(7),
      })
      await assertStored(storage, [{ ...fullRow('te_1'), updatedAt: at(7) }])
    },
  },
  {
    name: 'false, zero, an empty text and an empty list are values that an update sets',
    rule: STORAGE_RULES.update,
    run: async (world) => {
      const storage = await openWith(world, [fullRow('te_1')])
      const empty = {
        isClosed: false,
        needsPromiseCancellation: false,
        retryAttempts: 0,
        childrenTasksCompletedCount: 0,
        output: '',
        runOutput: '',
        childrenTasks: [],
        childrenTasksErrors: [],
        startAt: new Date(0),
        error: { errorType: 'generic', message: '', isRetryable: false } as const,
      }
      await update(storage, byIds('te_1'), { ...empty, updatedAt: at(7) })
      await assertStored(storage, [{ ...fullRow('te_1'), ...empty, updatedAt: at(7) }])
    },
  },
  {
    name: 'unsetError clears the error alone',
    rule: STORAGE_RULES.unset,
    run: async (world) => {
      const storage = await openWith(world, [fullRow('te_1')])
      await update(storage, byIds('te_1'), { unsetError: true, updatedAt: at(7) })
      const { error: _, ...rest } = fullRow('te_1')
      await assertStored(storage, [{ ...rest, updatedAt: at(7) }])
    },
  },
  {
    name: 'unsetExpiresAt clears expiresAt alone',
    rule: STORAGE_RULES.unset,
    run: async (world) => {
      const storage = await openWith(world, [fullRow('te_1')])
      await update(storage, byIds('te_1'), { unsetExpiresAt: true, updatedAt: at(7) })
      const { expiresAt: _, ...rest } = fullRow('te_1')
      await assertStored(storage, [{ ...rest, updatedAt: at(7) }])
      const where: Where = { type: 'by_statuses', statuses: [rest.status], expiresAtLessThan: at(1_000) }
      assert.deepEqual(await find(storage, where), [])
    },
  },
  {
    name: 'unset flags that are false clear nothing',
    rule: STORAGE_RULES.unset,
    run: async (world) => {
      const storage = await openWith(world, [fullRow('te_1')])
      await update(storage, byIds('te_1'), { unsetError: false, unsetExpiresAt: false, updatedAt: at(7) })
      await assertStored(storage, [{ ...fullRow('te_1'), updatedAt: at(7) }])
    },
  },
  {
    name: 'a field that was cleared can be set again',
    rule: STORAGE_RULES.unset,
    run: async (world) => {
      const storage = await openWith(world, [fullRow('te_1')])
      await update(storage, byIds('te_1'), { unsetError: true, unsetExpiresAt: true, updatedAt: at(7) })
      await update(storage, byIds('te_1'), { error, expiresAt: at(8), updatedAt: at(9) })
      await assertStored(storage, [{ ...fullRow('te_1'), error, expiresAt: at(8), updatedAt: at(9) }])
    },
  },
  {
    name: 'an update answers the ids that it changed, each once, and no others',
    rule: STORAGE_RULES.updatedIds,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1'), runningRow('te_2'), rowOf('te_3')])
      const where = { ...byIds('te_1', 'te_2', 'te_none', 'te_1'), statuses: ['ready' as const] }
      assertIds(await update(storage, where, { status: 'cancelled', updatedAt: at(1) }), ['te_1'])
      assertIds(await update(storage, where, { status: 'cancelled', updatedAt: at(2) }), [])
    },
  },
  {
    name: 'an update that changes no value still answers the ids that match',
    rule: STORAGE_RULES.updatedIds,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1')])
      assertIds(await update(storage, byIds('te_1'), { status: 'ready', updatedAt: at(0) }), ['te_1'])
    },
  },
  {
    name: 'an update leaves rows that its statuses exclude as they are',
    rule: STORAGE_RULES.update,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1'), rowOf('te_2', { status: 'cancelled' })])
      const where = { ...byIds('te_1', 'te_2'), statuses: ['ready' as const, 'running' as const] }
      await update(storage, where, { status: 'completed', output: 'out', updatedAt: at(1) })
      await assertStored(storage, [
        rowOf('te_1', { status: 'completed', output: 'out', updatedAt: at(1) }),
        rowOf('te_2', { status: 'cancelled' }),
      ])
    },
  },
  {
    name: 'an update of what it selects by changes each matching row once',
    rule: STORAGE_RULES.update,
    run: async (world) => {
      const ids = ['te_1', 'te_2', 'te_3', 'te_4']
      const storage = await openWith(
        world,
        ids.map((id, index) => rowOf(id, { startAt: at(index) })),
      )
      const where: Where = {
        type: 'by_start_at_less_than',
        statuses: ['ready' as const],
        startAtLessThan: at(3),
      }
      assertIds(await update(storage, where, { startAt: at(2), updatedAt: at(1) }), ids.slice(0, 3))
      const byStatus: Where = { type: 'by_statuses', statuses: ['ready', 'running'] }
      assertIds(await update(storage, byStatus, { status: 'running', updatedAt: at(2) }), ids)
    },
  },
  {
    name: 'rows that one update changed stay independent of each other and of the update',
    rule: STORAGE_RULES.sharing,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1'), rowOf('te_2')])
      const change = {
        error: { ...error },
        childrenTasks: [...NEW_VALUES.childrenTasks],
        startAt: at(5),
        updatedAt: at(1),
      }
      await update(storage, byIds('te_1', 'te_2'), change)
      Object.assign(change.error, { message: 'changed' })
      change.childrenTasks.pop()
      change.startAt.setTime(0)
      change.updatedAt.setTime(0)
      await update(storage, byIds('te_2'), { output: 'two', updatedAt: at(2) })
      const expected = { error, childrenTasks: NEW_VALUES.childrenTasks, startAt: at(5), updatedAt: at(1) }
      assertRow(await findOne(storage, 'te_1'), rowOf('te_1', expected))
      assertRow(
        await findOne(storage, 'te_2'),
        rowOf('te_2', { ...expected, output: 'two', updatedAt: at(2) }),
      )
    },
  },
]
