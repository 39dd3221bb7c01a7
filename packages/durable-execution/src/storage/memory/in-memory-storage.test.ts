import { afterEach, expect, test, vi } from 'vitest'

import { DurableExecutionError } from '../../base/errors.ts'
import { at, byIds, find, fullRow, insert, rowOf, runningRow } from '../../testing/conformance/rows.ts'
import { type DurableStorageTx } from '../contract.ts'
import { createInMemoryStorage, type InMemoryStorage } from './in-memory-storage.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

async function savedText(storage: InMemoryStorage): Promise<string> {
  let text = ''
  await storage.save((saved) => {
    text = saved
    return Promise.resolve()
  })
  return text
}

async function storageOf(...ids: Array<string>): Promise<InMemoryStorage> {
  const storage = createInMemoryStorage()
  await insert(
    storage,
    ids.map((id) => rowOf(id)),
  )
  return storage
}

test('what was saved is loaded whole, in the order of insertion', async () => {
  const rows = [fullRow('te_c'), rowOf('te_a', { runInput: '\uD800 "\u0000' }), runningRow('te_b')]
  const storage = createInMemoryStorage()
  await insert(storage, rows)
  const loaded = await storageOf('te_gone')
  await loaded.load(async () => savedText(storage))
  expect(await find(loaded)).toStrictEqual(rows)
})

test('a storage that was loaded goes on like any other', async () => {
  const storage = createInMemoryStorage()
  const text = await savedText(await storageOf('te_b', 'te_a'))
  await storage.load(() => Promise.resolve(text))
  await insert(storage, [rowOf('te_0')])
  await expect(insert(storage, [rowOf('te_a')])).rejects.toThrow('Task execution te_a already exists')
  expect((await find(storage)).map((row) => row.executionId)).toEqual(['te_b', 'te_a', 'te_0'])
})

test('loading an empty text empties the storage', async () => {
  const storage = await storageOf('te_1')
  await storage.load(() => Promise.resolve(''))
  expect(await find(storage)).toEqual([])
})

const execution = { ...JSON.parse(JSON.stringify(rowOf('te_1'))), startAt: 0, createdAt: 0, updatedAt: 0 }
const textOf = (...executions: Array<unknown>): string => JSON.stringify({ version: 1, executions })

test('the text that damaged ones are made of is a sound one', async () => {
  const storage = createInMemoryStorage()
  await storage.load(() => Promise.resolve(textOf(execution)))
  expect(await find(storage)).toHaveLength(1)
})

const damagedTexts: Array<[name: string, text: string, reason: RegExp]> = [
  ['cut short', textOf(execution).slice(0, -5), /not JSON/u],
  ['no list', '{}', /not a list/u],
  ['an array', '[]', /not a list/u],
  ['null', 'null', /not a list/u],
  ['of another version', JSON.stringify({ version: 2, executions: [] }), /version is 2/u],
  ['without a version', JSON.stringify({ executions: [] }), /version is undefined/u],
  ['with something that is no execution', textOf(execution, 'te_2'), /execution 1 is not an object/u],
  ['with an id twice', textOf(execution, execution), /te_1 already exists/u],
  [
    'with a field too few',
    textOf({ ...execution, runInput: undefined }),
    /runInput of execution 0 is missing/u,
  ],
  ['with an unknown field', textOf({ ...execution, colour: 1 }), /unknown field colour/u],
  ['with an unknown status', textOf({ ...execution, status: 'done' }), /status of execution 0/u],
  ['with a date as text', textOf({ ...execution, startAt: '2024-01-01' }), /startAt of execution 0/u],
  ['with a date out of range', textOf({ ...execution, expiresAt: 9e15 }), /expiresAt of execution 0/u],
  ['with a date that is null', textOf({ ...execution, finishedAt: null }), /finishedAt of execution 0/u],
  ['with a flag that is a number', textOf({ ...execution, isClosed: 1 }), /isClosed of execution 0/u],
  ['with a count that is text', textOf({ ...execution, losses: '1' }), /losses of execution 0/u],
  ['with a list that is none', textOf({ ...execution, childrenTasks: {} }), /childrenTasks of execution 0/u],
]

for (const [name, text, reason] of damagedTexts) {
  test(`a text that is ${name} is refused, and changes nothing`, async () => {
    const storage = await storageOf('te_old')
    const refusal = storage.load(() => Promise.resolve(text))
    await expect(refusal).rejects.toThrow(reason)
    await expect(refusal).rejects.toBeInstanceOf(DurableExecutionError)
    await expect(refusal).rejects.toMatchObject({ isRetryable: false })
    expect(await find(storage)).toEqual([rowOf('te_old')])
  })
}

test('callbacks that reject pass on their own error, and nothing changes', async () => {
  const storage = await storageOf('te_old')
  const trouble = new Error('disk full')
  await expect(storage.save(() => Promise.reject(trouble))).rejects.toBe(trouble)
  await expect(storage.load(() => Promise.reject(trouble))).rejects.toBe(trouble)
  expect(await find(storage)).toEqual([rowOf('te_old')])
})

test('save waits for the transaction that runs', async () => {
  const storage = createInMemoryStorage()
  const end = Promise.withResolvers<void>()
  const running = storage.withTransaction(async (tx) => {
    await tx.insertTaskExecutions([rowOf('te_1')])
    await end.promise
    await tx.updateTaskExecutions(byIds('te_1'), { output: 'end', updatedAt: at(1) })
  })
  const saving = savedText(storage)
  end.resolve()
  await running
  expect(await saving).toContain('"output":"end"')
})

test('load waits for the transaction that runs, which keeps nothing in what was loaded', async () => {
  const storage = await storageOf('te_old')
  const text = await savedText(await storageOf('te_new'))
  const end = Promise.withResolvers<void>()
  const running = storage.withTransaction(async (tx) => {
    await end.promise
    await tx.insertTaskExecutions([rowOf('te_late')])
  })
  const loading = storage.load(() => Promise.resolve(text))
  end.resolve()
  await Promise.all([running, loading])
  expect((await find(storage)).map((row) => row.executionId)).toEqual(['te_new'])
})

test('the callback of save may use the storage', async () => {
  const storage = await storageOf('te_1')
  await storage.save(() => insert(storage, [rowOf('te_2')]))
  expect(await find(storage)).toHaveLength(2)
})

test('a transaction that is used after its end fails, and writes nothing', async () => {
  const storage = await storageOf('te_1')
  let kept: DurableStorageTx | undefined
  await storage.withTransaction((tx) => {
    kept = tx
    return Promise.resolve()
  })
  expect(() => kept?.insertTaskExecutions([rowOf('te_2')])).toThrow(
    'insertTaskExecutions was called on a transaction that has ended',
  )
  expect(() => kept?.lockTaskExecutions?.(['te_1'])).toThrow(/has ended/u)
  expect(await find(storage)).toHaveLength(1)
})

test('rows that were given one object in common share it with nobody afterwards', async () => {
  const storage = createInMemoryStorage()
  const retryOptions = { maxAttempts: 1 }
  const parentTask = { taskId: 'parent', executionId: 'te_0' }
  await insert(storage, [
    rowOf('te_1', { retryOptions, parentTask }),
    rowOf('te_2', { retryOptions, parentTask }),
  ])
  retryOptions.maxAttempts = 2
  parentTask.executionId = 'te_9'
  const [first] = await find(storage)
  Object.assign(first?.retryOptions ?? {}, { maxAttempts: 3 })
  Object.assign(first?.parentTask ?? {}, { executionId: 'te_8' })
  for (const row of await find(storage)) {
    expect([row.retryOptions.maxAttempts, row.parentTask?.executionId]).toEqual([1, 'te_0'])
  }
})

test('rows of one status keep their order and their number through claims, ends and undone changes', async () => {
  const ids = Array.from({ length: 9 }, (_, index) => `te_${index}`)
  const storage = await storageOf(...ids)
  await storage.withTransaction(async (tx) => {
    await tx.updateTaskExecutions(byIds('te_1', 'te_4'), { status: 'failed', updatedAt: at(1) })
  })
  const undone = storage.withTransaction(async (tx) => {
    await tx.updateTaskExecutions(byIds('te_0', 'te_4', 'te_8'), { status: 'running', updatedAt: at(2) })
    await tx.updateTaskExecutions(byIds('te_8', 'te_2'), { isClosed: true, output: 'x', updatedAt: at(2) })
    await tx.insertTaskExecutions([rowOf('te_9')])
    throw new Error('undo')
  })
  await expect(undone).rejects.toThrow('undo')
  const ready = await find(storage, { type: 'by_statuses', statuses: ['ready'] })
  expect(ready).toStrictEqual(['te_0', 'te_2', 'te_3', 'te_5', 'te_6', 'te_7', 'te_8'].map((id) => rowOf(id)))
  const failed = await find(storage, { type: 'by_statuses', statuses: ['failed', 'running'] })
  expect(failed.map((row) => row.executionId)).toEqual(['te_1', 'te_4'])
})

test('an id that exists already is refused with an error that is not retryable', async () => {
  const storage = await storageOf('te_1')
  const refusal = insert(storage, [rowOf('te_0'), rowOf('te_1')])
  await expect(refusal).rejects.toThrow(
    new DurableExecutionError('Task execution te_1 already exists', false),
  )
  await expect(refusal).rejects.toMatchObject({ isRetryable: false })
})

test('an invalid date is refused, and what was given with it is not kept', async () => {
  const storage = await storageOf('te_1')
  const invalid = new Date(Number.NaN)
  await storage.withTransaction(async (tx) => {
    expect(() => tx.insertTaskExecutions([rowOf('te_2'), rowOf('te_3', { createdAt: invalid })])).toThrow(
      /invalid date/u,
    )
    expect(() => tx.updateTaskExecutions(byIds('te_1'), { output: 'x', updatedAt: invalid })).toThrow(
      /invalid date/u,
    )
    await Promise.resolve()
  })
  expect(await find(storage)).toEqual([rowOf('te_1')])
})

test('all rows are written to the console', async () => {
  const storage = await storageOf('te_1', 'te_2')
  const lines: Array<unknown> = []
  vi.spyOn(console, 'info').mockImplementation((line) => {
    lines.push(line)
  })
  storage.logAllTaskExecutions()
  expect(lines[0]).toBe('Task executions in memory: 2')
  expect(JSON.parse(String(lines[2]))).toMatchObject({ executionId: 'te_2', startAt: at(0).toISOString() })
})

test('operations are written to the console with enableDebug, and only then', async () => {
  const debug = vi.spyOn(console, 'debug').mockImplementation(() => {})
  await insert(createInMemoryStorage(), [rowOf('te_1')])
  expect(debug).not.toHaveBeenCalled()
  const storage = createInMemoryStorage({ enableDebug: true })
  await insert(storage, [rowOf('te_1')])
  await expect(insert(storage, [rowOf('te_1')])).rejects.toThrow(/already exists/u)
  expect(debug.mock.calls.map(([line]) => String(line))).toEqual([
    expect.stringContaining('insertTaskExecutions'),
    expect.stringContaining('rolled back'),
  ])
})

test('migrating and closing do nothing, however often', async () => {
  await using storage = await storageOf('te_1')
  await storage.migrate()
  await storage.close()
  await storage.close()
  expect(await find(storage)).toHaveLength(1)
})
