/** The checker itself: a sound round passes, and each way of spoiling it is found out. */

import { expect, test } from 'vitest'

import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../../../src/machine/execution.ts'
import { check, type Evidence, type Promised } from './check.ts'
import { type LedgerLine, parseLedger } from './ledger.ts'
import { checkWithSql } from './sql-checks.ts'

const NOW = 1_700_000_000_000
const OLD = 101
const NEW = 102

/** A row that was claimed at once and completed half a second later. */
function rowOf(executionId: string, taskId: string, fields: Partial<ExecutionRow> = {}): ExecutionRow {
  const row = createDurableTaskExecutionStorageObject({
    now: new Date(NOW),
    taskId,
    executionId,
    retryOptions: { maxAttempts: 3, baseDelayMs: 600 },
    sleepMsBeforeRun: 0,
    timeoutMs: 60_000,
    runInput: '1',
  })
  const finished = { status: 'completed', isClosed: true, output: '2' } as const
  return { ...row, ...finished, startedAt: new Date(NOW), finishedAt: new Date(NOW + 500), ...fields }
}

function line(
  what: LedgerLine['what'],
  executionId: string,
  at: number,
  fields: Partial<LedgerLine> = {},
): LedgerLine {
  return { what, executionId, attempt: 0, pid: OLD, at: NOW + at, taskId: 'plain', ...fields }
}

const ranOnce = (executionId: string, taskId: string): Array<LedgerLine> => [
  line('start', executionId, 10, { taskId }),
  line('end', executionId, 400, { taskId }),
]

const badlyEnded = {
  status: 'cancelled',
  error: { errorType: 'cancelled', message: '', isRetryable: false },
} as const

/** A tree of two levels: the parent, one child, the finalize execution. */
function treeOf(): Array<ExecutionRow> {
  const parentTask = { taskId: 'branch', executionId: 'p' }
  return [
    rowOf('p', 'branch', {
      output: '12',
      runOutput: '1',
      childrenTasks: [{ taskId: 'leaf', executionId: 'c' }],
      childrenTasksCompletedCount: 1,
      finalizeTask: { taskId: 'branch_combine', executionId: 'f' },
    }),
    rowOf('c', 'leaf', { parentTask }),
    rowOf('f', 'branch_combine', { parentTask: { ...parentTask, isFinalizeTask: true }, output: '12' }),
  ]
}

function sound(): Evidence {
  return {
    rows: [rowOf('a', 'plain'), rowOf('b', 'only_old'), ...treeOf()],
    ledger: [
      ...ranOnce('a', 'plain'),
      ...ranOnce('b', 'only_old'),
      ...ranOnce('p', 'branch'),
      ...ranOnce('c', 'leaf'),
      ...ranOnce('f', 'branch_combine'),
    ],
    acknowledged: [{ executionId: 'a', taskId: 'plain', input: 1, sleepMs: 0 }],
    cancels: [{ executionId: 'a', hasCancelled: false }],
    sightings: [
      {
        executionId: 'a',
        status: 'completed',
        output: '2',
        error: undefined,
        finishedAt: new Date(NOW + 500),
      },
    ],
    disturbances: [],
    versions: new Map([
      [OLD, 'old'],
      [NEW, 'new'],
    ]),
  }
}

function withRow(executionId: string, fields: Partial<ExecutionRow>): Evidence {
  const evidence = sound()
  const rows = evidence.rows.map((row) => (row.executionId === executionId ? { ...row, ...fields } : row))
  return { ...evidence, rows }
}

function withLines(...lines: Array<LedgerLine>): Evidence {
  const evidence = sound()
  return { ...evidence, ledger: [...evidence.ledger, ...lines] }
}

function without(executionId: string): Evidence {
  const evidence = sound()
  return { ...evidence, rows: evidence.rows.filter((row) => row.executionId !== executionId) }
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
      cancels: [{ executionId: 'a', hasCancelled: true }],
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
  ['what is completed has run', 'an output of no run', { ...sound(), ledger: ranOnce('b', 'only_old') }],
]

test('a sound round passes', () => {
  expect(check(sound())).toEqual([])
})

test.for(spoiled)('%s: %s', ([promise, , evidence]) => {
  expect(check(evidence).map((finding) => finding.promise)).toContain(promise)
})

test.for([
  ['the process was killed', 'kill', OLD],
  ['the process stood still', 'stall', OLD],
  ['the process was told to stop', 'restart', OLD],
  ['everybody stood still', 'stall', undefined],
] as const)('a second start is explained when %s', ([, kind, pid]) => {
  const evidence = withLines(line('start', 'a', 300, { pid: NEW }))
  expect(check({ ...evidence, disturbances: [{ kind, pid, at: NOW + 100 }] })).toEqual([])
})

test('a second start is explained when the process had waited for a lock, and not when another one had', () => {
  const wait = (pid: number): LedgerLine => line('wait', '-', 50, { pid })
  expect(check(withLines(line('start', 'a', 300, { pid: NEW }), wait(OLD)))).toEqual([])
  const findings = check(withLines(line('start', 'a', 300, { pid: NEW }), wait(NEW + 1)))
  expect(findings.map(({ promise }) => promise)).toContain('starts are explained')
})

test('a second start is explained when the process had stood still before the first, and began late', () => {
  const evidence = withLines(line('start', 'a', 300, { pid: NEW }))
  expect(check({ ...evidence, disturbances: [{ kind: 'stall', pid: OLD, at: NOW - 3_000 }] })).toEqual([])
})

test.for([
  ['a lost connection', { kind: 'disconnect', pid: undefined, at: NOW + 100 }],
  ['what happened to another process', { kind: 'kill', pid: NEW, at: NOW + 100 }],
  ['what happened later', { kind: 'kill', pid: OLD, at: NOW + 5_000 }],
] as const)('a second start is not explained by %s', ([, disturbance]) => {
  const evidence = withLines(line('start', 'a', 300, { pid: NEW }))
  const findings = check({ ...evidence, disturbances: [disturbance] })
  expect(findings.map(({ promise }) => promise)).toContain('starts are explained')
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
