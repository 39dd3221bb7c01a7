/** A sound round as it is left behind: a plain task, one that only the old code knows, and a small tree; and ways to spoil it. */

import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../../../src/machine/execution.ts'
import { type Evidence } from './check.ts'
import { type LedgerLine } from './ledger.ts'

export const NOW = 1_700_000_000_000
export const OLD = 101
export const NEW = 102

/** A row that was claimed at once and completed half a second later. */
export function rowOf(executionId: string, taskId: string, fields: Partial<ExecutionRow> = {}): ExecutionRow {
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

export function line(
  what: LedgerLine['what'],
  executionId: string,
  at: number,
  fields: Partial<LedgerLine> = {},
): LedgerLine {
  return { what, executionId, attempt: 0, pid: OLD, at: NOW + at, taskId: 'plain', ...fields }
}

export const ranOnce = (executionId: string, taskId: string): Array<LedgerLine> => [
  line('start', executionId, 10, { taskId }),
  line('end', executionId, 400, { taskId }),
]

export const badlyEnded = {
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
    rowOf('f', 'branch_combine', {
      parentTask: { ...parentTask, isFinalizeTask: true },
      runInput: finalizeInput(1, [{ taskId: 'leaf', executionId: 'c', output: 2 }]),
      output: '12',
    }),
  ]
}

function finalizeInput(
  input: number,
  outputs: ReadonlyArray<{ taskId: string; executionId: string; output: number }>,
): string {
  const childrenTasksOutputs = outputs.map((child, index) => ({ index, ...child }))
  return JSON.stringify({ input, output: 1, childrenTasksOutputs })
}

export function sound(): Evidence {
  return {
    rows: [rowOf('a', 'plain'), rowOf('b', 'only_old'), ...treeOf()],
    records: [],
    ledger: [
      ...ranOnce('a', 'plain'),
      ...ranOnce('b', 'only_old'),
      ...ranOnce('p', 'branch'),
      ...ranOnce('c', 'leaf'),
      ...ranOnce('f', 'branch_combine'),
    ],
    acknowledged: [{ executionId: 'a', taskId: 'plain', input: 1, sleepMs: 0 }],
    cancels: [{ executionId: 'a', hasCancelled: false, refusals: 0 }],
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
    history: [],
    offsets: new Map(),
    clockSlackMs: 100,
  }
}

export function withRow(executionId: string, fields: Partial<ExecutionRow>): Evidence {
  const evidence = sound()
  const rows = evidence.rows.map((row) => (row.executionId === executionId ? { ...row, ...fields } : row))
  return { ...evidence, rows }
}

export function withLines(...lines: Array<LedgerLine>): Evidence {
  const evidence = sound()
  return { ...evidence, ledger: [...evidence.ledger, ...lines] }
}

export function without(executionId: string): Evidence {
  const evidence = sound()
  return { ...evidence, rows: evidence.rows.filter((row) => row.executionId !== executionId) }
}
