/** How much an execution may remember, in all its runs together. */

import { expect, test } from 'vitest'

import { LIMITS } from '../../base/limits.ts'
import { leaseNamed, running } from '../../machine/testing-dsl.test-support.ts'
import { type Attempt } from '../run-attempt.ts'
import { Writer, type WriterDoors } from './writer.ts'

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
  expect(() => writer.writeCompensation(step('e') as never, 'x')).toThrow(/limit: recordsPerExecution/)
})

test('a state is said, however much is remembered', async () => {
  const { writer } = writerAfter(LIMITS.recordsPerExecution)
  await expect(writer.writeState({ output: '1', isThere: true })).resolves.toBe(undefined)
})
