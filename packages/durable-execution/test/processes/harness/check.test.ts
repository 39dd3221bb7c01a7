/** The checker itself: a sound round passes, and each way of spoiling it is found out. */

import { expect, test } from 'vitest'

import { type ExecutionRow } from '../../../src/machine/execution.ts'
import { check, type Evidence, type Finding, type Promised } from './check.ts'
import { parseLedger } from './ledger.ts'
import {
  badlyEnded,
  line,
  NEW,
  NOW,
  ranOnce,
  rowOf,
  sound,
  without,
  withLines,
  withRow,
} from './sound-round.ts'
import { checkWithSql } from './sql-checks.ts'

/** A row of a task that no process knows, which was cancelled. */
function unknownRow(fields: Partial<ExecutionRow>): ExecutionRow {
  const { startedAt: _startedAt, output: _output, ...row } = rowOf('n', 'nobody')
  return { ...row, ...badlyEnded, ...fields }
}

const spoiled: ReadonlyArray<[Promised, string, Evidence]> = [
  ['nothing is lost', 'an acknowledged enqueue is not there', { ...without('a'), ledger: [], sightings: [] }],
  [
    'nothing is lost',
    'an acknowledged enqueue has another input',
    withRow('a', { runInput: '3', output: '6' }),
  ],
  ['nothing is lost', 'what was seen finished is gone', { ...without('a'), ledger: [], acknowledged: [] }],
  ['nothing is lost', 'what has run is not there', withLines(line('start', 'x', 10))],
  ['nothing is stuck', 'a row is ready', withRow('b', { status: 'ready', isClosed: false })],
  ['nothing is stuck', 'a row is not closed', withRow('b', { isClosed: false })],
  [
    'the rows agree with each other',
    'a child was not counted',
    withRow('p', { childrenTasksCompletedCount: 0 }),
  ],
  ['one outcome', 'an output has changed', withRow('a', { output: '3' })],
  ['one outcome', 'a completed row was cancelled later', withRow('a', badlyEnded)],
  ['one outcome', 'it has finished again', withRow('a', { finishedAt: new Date(NOW + 900) })],
  ['one outcome', 'an id is there twice', { ...sound(), rows: [...sound().rows, rowOf('a', 'plain')] }],
  ['each parent is finalized once', 'no finalize execution', without('f')],
  [
    'each parent is finalized once',
    'two finalize executions',
    {
      ...sound(),
      rows: [
        ...sound().rows,
        rowOf('g', 'branch_combine', {
          parentTask: { taskId: 'branch', executionId: 'p', isFinalizeTask: true },
        }),
      ],
    },
  ],
  ['starts are explained', 'it ran twice for no reason', withLines(line('start', 'a', 300, { pid: NEW }))],
  [
    'starts are explained',
    'a retry that the row does not count',
    withLines(line('start', 'a', 900, { attempt: 1 })),
  ],
  [
    'starts are explained',
    'an earlier attempt after a later one',
    {
      ...withLines(line('start', 'a', 900, { attempt: 1 }), line('start', 'a', 1_000)),
    },
  ],
  [
    'nothing runs before its time',
    'a run before the pause is over',
    withRow('a', { sleepMsBeforeRun: 5_000 }),
  ],
  ['nothing runs before its time', 'a claim before startAt', withRow('a', { startAt: new Date(NOW + 1) })],
  [
    'nothing runs before its time',
    'a retry at once',
    withLines(line('fail', 'a', 20), line('start', 'a', 30, { attempt: 1 })),
  ],
  [
    'nothing runs before its time',
    'a pause that the row has forgotten',
    { ...sound(), acknowledged: [{ executionId: 'a', taskId: 'plain', input: 1, sleepMs: 700 }] },
  ],
  ['nothing runs after its outcome', 'a start long after the end', withLines(line('start', 'a', 5_000))],
  [
    'cancel sticks',
    'a cancelled one is completed',
    {
      ...sound(),
      cancels: [{ executionId: 'a', hasCancelled: true, refusals: 0 }],
    },
  ],
  ['cancel sticks', 'nobody cancelled it', { ...withRow('b', badlyEnded) }],
  ['cancel sticks', 'a child is cancelled below a completed parent', withRow('c', badlyEnded)],
  ['outputs are right', 'another output', withRow('b', { output: '7' })],
  ['outputs are right', 'another end', withRow('b', { status: 'failed' })],
  [
    'unknown tasks are left alone',
    'it ran where it is not known',
    withLines(line('start', 'b', 20, { pid: NEW })),
  ],
  [
    'unknown tasks are left alone',
    'what nobody knows was failed',
    { ...sound(), rows: [...sound().rows, unknownRow({ status: 'failed' })] },
  ],
  [
    'unknown tasks are left alone',
    'what nobody knows was claimed',
    { ...sound(), rows: [...sound().rows, unknownRow({ startedAt: new Date(NOW) })] },
  ],
  [
    'what is completed has run',
    'the output of a run that had lost its lease',
    {
      ...withRow('a', { startedAt: new Date(NOW + 2_050), finishedAt: new Date(NOW + 2_300) }),
      ledger: [
        ...sound().ledger,
        line('start', 'a', 2_060, { pid: NEW }),
        line('end', 'a', 4_060, { pid: NEW }),
      ],
    },
  ],
  ['what is completed has run', 'an output of no run', { ...sound(), ledger: ranOnce('b', 'only_old') }],
]

test('a sound round passes', () => {
  expect(check(sound())).toEqual([])
})

test.for(spoiled)('%s: %s', ([promise, , evidence]) => {
  expect(check(evidence).map((finding) => finding.promise)).toContain(promise)
})

test('a cancel that was not answered the first time explains that the second one came too late', () => {
  const evidence = { ...sound(), rows: [...sound().rows, unknownRow({})] }
  const cancelled = (refusals: number): Evidence => ({
    ...evidence,
    cancels: [{ executionId: 'n', hasCancelled: false, refusals }],
  })
  expect(check(cancelled(1))).toEqual([])
  expect(check(cancelled(0)).map(({ promise }) => promise)).toEqual(['cancel sticks'])
})

test('what was wrong while the round went on is wrong, whatever the end looks like', () => {
  const finding: Finding = {
    promise: 'nothing goes back',
    executionId: 'a',
    sentence: 'was closed, then open',
  }
  expect(check({ ...sound(), history: [finding] })).toEqual([finding])
})

test('a ledger with a line that was cut is refused', () => {
  expect(() => parseLedger('start te_1 0 1 17 plain\nstart te_2 0')).toThrow('start te_2 0')
})

test('what SQL answers is a finding for each row', async () => {
  const query = (sql: string): Promise<Array<Array<unknown>>> =>
    Promise.resolve(sql.includes('having count(*) > 1') ? [['p']] : [])
  const findings = await checkWithSql({ query, table: 't' })
  expect(findings).toEqual([
    {
      promise: 'each parent is finalized once',
      executionId: 'p',
      sentence: expect.stringContaining('SQL') as string,
    },
  ])
})
