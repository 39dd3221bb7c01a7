/** How much an execution may remember, in all its runs together. */

import { expect, test } from 'vitest'

import { LIMITS } from '../../base/limits.ts'
import { type DurableWrites, type NewChild } from '../../machine/event.ts'
import { newPart } from '../../machine/durable-dsl.test-support.ts'
import { leaseNamed, running } from '../../machine/rows.test-support.ts'
import { type Attempt } from '../run-attempt.ts'
import { Writer, type WriteResult, type WriterDoors } from './writer.ts'

const step = (name: string): { executionId: string; kind: '#step' } => ({
  executionId: `x:${name}:1`,
  kind: '#step',
})

function writerAfter(known: number): { writer: Writer; written: Array<string> } {
  const written: Array<string> = []
  const attempt = { row: running(), lease: leaseNamed('first') }
  const doors: WriterDoors = {
    write: (event, onWritten) => {
      written.push(...event.records.map(({ executionId }) => executionId))
      onWritten('accepted')
    },
    lose: () => {},
  }
  const writer = new Writer(attempt as unknown as Attempt, doors, { onIdle: () => {}, known: () => known })
  return { writer, written }
}

test('what earlier runs remember counts, and the last one fits', async () => {
  const { writer, written } = writerAfter(LIMITS.recordsPerExecution - 2)
  await Promise.all([writer.write(step('a')), writer.write(step('b'))])
  expect(written).toEqual(['x:a:1', 'x:b:1'])
  expect(() => writer.write(step('c'))).toThrow(/^Execution x remembers 10000 steps/)
  expect(() => writer.add({ records: [step('d')] })).toThrow(/limit: recordsPerExecution/)
  expect(() => writer.writeCompensation(step('e') as never)).toThrow(/limit: recordsPerExecution/)
})

const outcomeOf = async (promise: Promise<void>): Promise<string> =>
  await promise.then(
    () => 'written',
    (error: Error) => error.message,
  )

test('what is refused together is written one by one, and what nobody waits for is part of the end', async () => {
  const events: Array<DurableWrites> = []
  const onWritten: Array<(result: WriteResult) => void> = []
  const attempt = { row: running(), lease: leaseNamed('first') }
  const doors: WriterDoors = {
    write: (event, heard) => {
      events.push(event)
      onWritten.push(heard)
    },
    lose: () => {},
  }
  const writer = new Writer(attempt as unknown as Attempt, doors, { onIdle: () => {}, known: () => 0 })
  const child = (executionId: string): NewChild => ({ ...newPart(1), executionId })
  const ends = [writer.write(step('good')), writer.write(step('bad'))].map(outcomeOf)
  writer.add({ children: [child('bad child')] })
  writer.add({ children: [child('good child')] })
  ends.push(outcomeOf(writer.writeCompensation({ executionId: 'x:undo:1', kind: '#compensate' })))
  await Promise.resolve()
  const names = ({ records, children }: DurableWrites): Array<string> =>
    [...records, ...children].map(({ executionId }) => executionId)
  // Each answer may bring the next write.
  for (const [index, event] of events.entries()) {
    const isBad = names(event).some((name) => name.includes('bad'))
    onWritten[index]?.(isBad ? { error: new Error('no room') } : 'accepted')
  }
  expect(events.map(names)).toEqual([
    ['x:good:1', 'x:bad:1', 'x:undo:1', 'x!compensations', 'bad child', 'good child'],
    ['x:good:1'],
    ['x:bad:1'],
    ['bad child'],
    ['good child'],
    ['x:undo:1', 'x!compensations'],
  ])
  expect(await Promise.all(ends)).toEqual(['written', 'no room', 'written'])
  expect(events.map(({ childrenTasks }) => childrenTasks.map(({ executionId }) => executionId))).toEqual([
    ['bad child', 'good child'],
    [],
    [],
    ['bad child', 'good child'],
    ['bad child', 'good child'],
    [],
  ])
  // What was refused may have been written, and nothing was heard of it.
  expect(events.map(({ mayExist }) => mayExist)).toEqual([false, true, true, true, true, true])
  expect(writer.isWriting).toBe(false)
  expect(attempt.row.childrenTasks?.map(({ executionId }) => executionId)).toEqual([
    'bad child',
    'good child',
  ])
  const left = writer.take()
  expect([names(left), left.mayExist]).toEqual([['bad child'], true])
  expect(left.childrenTasks.map(({ executionId }) => executionId)).toEqual(['bad child', 'good child'])
})

test('a state is said, however much is remembered', async () => {
  const { writer } = writerAfter(LIMITS.recordsPerExecution)
  await expect(writer.writeState({ output: '1', isThere: true })).resolves.toBe(undefined)
})
