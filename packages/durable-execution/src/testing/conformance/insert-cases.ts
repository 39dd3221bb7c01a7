/** Conformance: what an insert keeps, and what it refuses. */

import assert from 'node:assert/strict'

import { ALL_STATUSES } from '../../machine/status.ts'
import { type ConformanceCase } from './case.ts'
import {
  assertRow,
  assertStored,
  byIds,
  findOne,
  fullRow,
  insert,
  openWith,
  rowOf,
  runningRow,
} from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

export const insertCases: ReadonlyArray<ConformanceCase> = [
  {
    name: 'an inserted row is read back as it was written',
    rule: STORAGE_RULES.readBack,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1')])
      assertRow(await findOne(storage, 'te_1'), rowOf('te_1'))
    },
  },
  {
    name: 'a row in which every field has a value is read back whole',
    rule: STORAGE_RULES.readBack,
    run: async (world) => {
      const storage = await openWith(world, [fullRow('te_1')])
      assertRow(await findOne(storage, 'te_1'), fullRow('te_1'))
    },
  },
  {
    name: 'rows with different fields can be inserted in one call',
    rule: STORAGE_RULES.readBack,
    run: async (world) => {
      const rows = [
        rowOf('te_1'),
        fullRow('te_2'),
        runningRow('te_3'),
        rowOf('te_4', { output: '4' }),
        rowOf('te_5', { error: { errorType: 'generic', message: 'five', isRetryable: true } }),
      ]
      await assertStored(await openWith(world, rows), rows)
    },
  },
  {
    name: 'a field that is given as undefined is read back as absent',
    rule: STORAGE_RULES.readBack,
    run: async (world) => {
      const fields: object = {
        output: undefined,
        error: undefined,
        expiresAt: undefined,
        childrenTasks: undefined,
      }
      const storage = await openWith(world, [rowOf('te_1', fields)])
      assertRow(await findOne(storage, 'te_1'), rowOf('te_1'))
    },
  },
  {
    name: 'a row can be inserted in each of the ten statuses',
    rule: STORAGE_RULES.readBack,
    run: async (world) => {
      const rows = ALL_STATUSES.map((status) => rowOf(`te_${status}`, { status }))
      await assertStored(await openWith(world, rows), rows)
    },
  },
  {
    name: 'inserting no rows changes nothing',
    rule: STORAGE_RULES.insert,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1')])
      await insert(storage, [])
      await assertStored(storage, [rowOf('te_1')])
    },
  },
  {
    name: 'inserting an id that exists already is an error, and leaves the row as it was',
    rule: STORAGE_RULES.insert,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1')])
      await assert.rejects(insert(storage, [fullRow('te_1')]))
      await assertStored(storage, [rowOf('te_1')])
    },
  },
  {
    name: 'an insert with one id that exists already inserts none of its rows',
    rule: STORAGE_RULES.insert,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_2')])
      await assert.rejects(insert(storage, [rowOf('te_1'), fullRow('te_2'), rowOf('te_3')]))
      await assertStored(storage, [rowOf('te_2')])
    },
  },
  {
    name: 'an insert that repeats an id is an error, and inserts nothing',
    rule: STORAGE_RULES.insert,
    run: async (world) => {
      const storage = await openWith(world, [])
      await assert.rejects(insert(storage, [rowOf('te_1'), rowOf('te_2'), rowOf('te_1')]))
      await assertStored(storage, [])
    },
  },
  {
    name: 'inserting an id that the same transaction inserted is an error',
    rule: STORAGE_RULES.insert,
    run: async (world) => {
      const storage = await world.open()
      await assert.rejects(
        storage.withTransaction(async (tx) => {
          await tx.insertTaskExecutions([rowOf('te_1')])
          await tx.insertTaskExecutions([rowOf('te_1')])
        }),
      )
      await assertStored(storage, [])
    },
  },
  {
    name: 'a transaction that goes on after a refused insert keeps nothing of that insert',
    rule: STORAGE_RULES.insert,
    run: async (world) => {
      const storage = await openWith(world, [rowOf('te_1')])
      // Whether a transaction can go on at all is the storage's affair.
      await Promise.allSettled([
        storage.withTransaction(async (tx) => {
          await Promise.allSettled([(async () => tx.insertTaskExecutions([rowOf('te_2'), rowOf('te_1')]))()])
        }),
      ])
      await assertStored(storage, [rowOf('te_1')])
    },
  },
  {
    name: 'changing a row after it was inserted does not change what is stored',
    rule: STORAGE_RULES.sharing,
    run: async (world) => {
      const row = fullRow('te_1')
      const storage = await world.open()
      await insert(storage, [row])
      row.startAt.setTime(0)
      row.retryOptions.maxAttempts = 99
      row.childrenTasks.pop()
      row.childrenTasksErrors.map((child) => Object.assign(child.error, { message: 'changed' }))
      row.output = 'changed'
      assertRow(await findOne(storage, 'te_1'), fullRow('te_1'))
    },
  },
  {
    name: 'changing a row that was read does not change what is stored',
    rule: STORAGE_RULES.sharing,
    run: async (world) => {
      const storage = await openWith(world, [fullRow('te_1')])
      await storage.withTransaction(async (tx) => {
        const [row] = await tx.getTaskExecutions(byIds('te_1'))
        row?.startAt.setTime(0)
        row?.createdAt.setTime(0)
        row?.childrenTasks?.pop()
        Object.assign(row?.error ?? {}, { message: 'changed' })
        Object.assign(row?.parentTask ?? {}, { taskId: 'changed' })
        Object.assign(row ?? {}, { status: 'ready', runInput: 'changed' })
        const [again] = await tx.getTaskExecutions(byIds('te_1'))
        assertRow(again ?? {}, fullRow('te_1'))
      })
      assertRow(await findOne(storage, 'te_1'), fullRow('te_1'))
    },
  },
]
