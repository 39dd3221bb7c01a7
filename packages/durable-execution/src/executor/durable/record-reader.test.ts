/** Reading what executions remember: who asks in one turn is answered by one query, each with its own. */

import { expect, test } from 'vitest'

import { idRange } from '../../machine/records.ts'
import { type DurableStorageTx } from '../../storage/contract.ts'
import { createInMemoryStorage } from '../../storage/memory/in-memory-storage.ts'
import { rowOf } from '../../testing/conformance/rows.ts'
import { RecordReader } from './record-reader.ts'

async function readerOver(ids: Array<string>): Promise<{ reader: RecordReader; asked: Array<number> }> {
  const storage = createInMemoryStorage()
  await storage.withTransaction(async (tx) => await tx.insertTaskExecutions(ids.map((id) => rowOf(id))))
  const asked: Array<number> = []
  const reader = new RecordReader(
    async (fn) =>
      await storage.withTransaction(
        async (tx) =>
          await fn({
            ...tx,
            getTaskExecutionsInIdRanges: async (ranges) => {
              asked.push(ranges.length)
              const rows = await tx.getTaskExecutions({ type: 'by_statuses', statuses: ['ready'] })
              return rows.filter(({ executionId: id }) =>
                ranges.some(({ from, to }) => id >= from && id < to),
              )
            },
          } satisfies DurableStorageTx),
      ),
  )
  return { reader, asked }
}

test('executions that ask in one turn get what is theirs, also if two ask for the same', async () => {
  const { reader, asked } = await readerOver(['te_1:a:1', 'te_1!state', 'te_2:a:1', 'te_3', 'te_10:a:1'])
  const found = await Promise.all(
    ['te_1', 'te_2', 'te_3', 'te_1'].map(async (id) => await reader.readRange(idRange(id))),
  )
  expect(found.map((rows) => rows?.map((row) => row.executionId))).toEqual([
    ['te_1:a:1', 'te_1!state'],
    ['te_2:a:1'],
    [],
    ['te_1:a:1', 'te_1!state'],
  ])
  expect(asked).toEqual([3])
})

test('what only begins like an execution is not among what it remembers', async () => {
  const { reader } = await readerOver(['te_1:a:1', 'te_10:a:1'])
  const rows = await reader.readRange(idRange('te_1'))
  expect(rows?.map((row) => row.executionId)).toEqual(['te_1:a:1'])
})
