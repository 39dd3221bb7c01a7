/** A view has exactly the fields of its status, and shares nothing with its row. */

import { describe, expect, expectTypeOf, test } from 'vitest'

import {
  DurableExecutionCancelledError,
  DurableExecutionError,
  DurableExecutionTimedOutError,
} from '../base/errors.ts'
import { createDefaultSerializer, type Serializer } from '../base/serializer.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { ALL_STATUSES } from '../machine/status.ts'
import {
  convertTaskExecutionStorageObjectToTaskExecution,
  type DurableTaskCancelledExecution,
  type DurableTaskCompletedExecution,
  type DurableTaskExecution,
  type DurableTaskFinishedExecution,
  type DurableTaskReadyExecution,
} from './view.ts'

const serializer = createDefaultSerializer()

type Status = ExecutionRow['status']

const children = [
  { taskId: 'child', executionId: 'te_c1' },
  { taskId: 'child', executionId: 'te_c2' },
]
const finalizeTask = { taskId: 'finish', executionId: 'te_f' }

// A row that has every field any status may have; a view must leave out what its status does not.
function fullRow(status: Status, changes: Partial<ExecutionRow> = {}): ExecutionRow {
  return {
    rootTask: { taskId: 'root', executionId: 'te_r' },
    parentTask: { taskId: 'parent', executionId: 'te_p', isFinalizeTask: true },
    taskId: 'sum',
    executionId: 'te_1',
    retryOptions: { maxAttempts: 2, baseDelayMs: 5 },
    sleepMsBeforeRun: 3,
    timeoutMs: 1_000,
    runInput: '[1,2]',
    runOutput: '"run"',
    output: '"out"',
    childrenTasksCompletedCount: 1,
    childrenTasks: children,
    childrenTasksErrors: [
      { index: 1, taskId: 'child', executionId: 'te_c2', error: storedError('child broke') },
    ],
    finalizeTask,
    finalizeTaskError: storedError('finish broke'),
    error: storedError('broke'),
    status,
    isClosed: true,
    needsPromiseCancellation: true,
    retryAttempts: 1,
    startAt: new Date(1_000),
    startedAt: new Date(2_000),
    finishedAt: new Date(3_000),
    expiresAt: new Date(4_000),
    createdAt: new Date(500),
    updatedAt: new Date(5_000),
    leaseId: 'lease',
    executorId: 'executor',
    losses: 1,
    depth: 2,
    childIndex: 0,
    childrenTasksCount: 2,
    tags: { customer: 'ACME' },
    deadlineAt: new Date(6_000),
    priority: -3,
    ...changes,
  }
}

function storedError(message: string): NonNullable<ExecutionRow['error']> {
  return { errorType: 'generic', message, isRetryable: false }
}

function without(row: ExecutionRow, ...fields: Array<keyof ExecutionRow>): ExecutionRow {
  return Object.fromEntries(
    Object.entries(row).filter(([key]) => !(fields as Array<string>).includes(key)),
  ) as ExecutionRow
}

const view = (row: ExecutionRow): DurableTaskExecution<string> =>
  convertTaskExecutionStorageObjectToTaskExecution<string>(row, serializer)

const common = {
  rootTask: { taskId: 'root', executionId: 'te_r' },
  parentTask: { taskId: 'parent', executionId: 'te_p', isFinalizeTask: true },
  taskId: 'sum',
  executionId: 'te_1',
  retryOptions: { maxAttempts: 2, baseDelayMs: 5 },
  sleepMsBeforeRun: 3,
  timeoutMs: 1_000,
  runInput: [1, 2],
  priority: -3,
  retryAttempts: 1,
  tags: { customer: 'ACME' },
  deadlineAt: new Date(6_000),
  createdAt: new Date(500),
  updatedAt: new Date(5_000),
}
const error = new DurableExecutionError('broke', false)
const startedAt = new Date(2_000)
const finishedAt = new Date(3_000)
const family = { runOutput: 'run', childrenTasks: children }

const OWN_FIELDS: Record<Status, object> = {
  ready: { error, startAt: new Date(1_000) },
  running: { error, startedAt, expiresAt: new Date(4_000) },
  failed: { error, startedAt, finishedAt },
  timed_out: { error, ...family, finalizeTask, startedAt, finishedAt },
  waiting_for_children_tasks: { ...family, startedAt },
  children_tasks_failed: {
    ...family,
    childrenTasksErrors: [
      {
        index: 1,
        taskId: 'child',
        executionId: 'te_c2',
        error: new DurableExecutionError('child broke', false),
      },
    ],
    startedAt,
    finishedAt,
  },
  waiting_for_finalize_task: { ...family, finalizeTask, startedAt },
  finalize_task_failed: {
    ...family,
    finalizeTask,
    finalizeTaskError: new DurableExecutionError('finish broke', false),
    startedAt,
    finishedAt,
  },
  completed: { ...family, output: 'out', finalizeTask, startedAt, finishedAt },
  cancelled: { error, ...family, finalizeTask, startedAt, finishedAt },
}

// What each status must have in its row.
const NEEDED: Array<[Status, keyof ExecutionRow]> = [
  ['running', 'startedAt'],
  ['running', 'expiresAt'],
  ['failed', 'error'],
  ['failed', 'finishedAt'],
  ['timed_out', 'error'],
  ['timed_out', 'startedAt'],
  ['waiting_for_children_tasks', 'runOutput'],
  ['waiting_for_children_tasks', 'childrenTasks'],
  ['children_tasks_failed', 'childrenTasks'],
  ['children_tasks_failed', 'childrenTasksErrors'],
  ['waiting_for_finalize_task', 'finalizeTask'],
  ['finalize_task_failed', 'finalizeTask'],
  ['finalize_task_failed', 'finalizeTaskError'],
  ['completed', 'output'],
  ['completed', 'runOutput'],
  ['completed', 'finishedAt'],
  ['cancelled', 'error'],
  ['cancelled', 'finishedAt'],
]

describe('a view', () => {
  test.each(ALL_STATUSES)('of a %s execution has exactly the fields of that status', (status) => {
    expect(view(fullRow(status))).toStrictEqual({ ...common, status, ...OWN_FIELDS[status] })
  })

  test.each([
    ['ready', ['error', 'tags', 'deadlineAt']],
    ['running', ['error']],
    ['completed', ['finalizeTask']],
    ['timed_out', ['runOutput', 'childrenTasks', 'finalizeTask']],
    ['cancelled', ['startedAt', 'runOutput', 'childrenTasks', 'finalizeTask']],
  ] as Array<[Status, Array<keyof ExecutionRow>]>)('of a %s execution may lack %s', (status, fields) => {
    const row = without(fullRow(status), 'rootTask', 'parentTask', ...fields)
    expect(Object.keys(view(row))).toEqual(expect.not.arrayContaining(['rootTask', 'parentTask', ...fields]))
  })

  test('of a completed execution without children has an empty list of them', () => {
    expect(view(without(fullRow('completed'), 'childrenTasks'))).toMatchObject({ childrenTasks: [] })
  })

  test.each(NEEDED)('of a %s execution whose row has no %s is refused', (status, field) => {
    expect(() => view(without(fullRow(status), field))).toThrow(
      new DurableExecutionError(`Execution te_1 is ${status} but has no ${field}: its row is damaged`, false),
    )
  })

  test('shows a priority of 0 where the row has none', () => {
    expect(view(without(fullRow('ready'), 'priority'))).toMatchObject({ priority: 0 })
  })

  test('of an unknown status is refused', () => {
    expect(() => view(fullRow('paused' as Status))).toThrow(
      new DurableExecutionError('Unknown execution status: paused', false),
    )
  })

  test('takes null in a row for a field that is absent', () => {
    const row = { ...fullRow('ready'), error: null, rootTask: null } as unknown as ExecutionRow
    expect(Object.keys(view(row))).toEqual(expect.not.arrayContaining(['error', 'rootTask']))
  })

  test('takes the empty text for a value', () => {
    const quiet: Serializer = { serialize: () => '', deserialize: (text) => [text] as never }
    const row = fullRow('completed', { runInput: '', runOutput: '', output: '' })
    expect(convertTaskExecutionStorageObjectToTaskExecution(row, quiet)).toMatchObject({
      runInput: [''],
      runOutput: [''],
      output: [''],
    })
  })

  test('of a row whose output cannot be read is refused without the hope of a retry', () => {
    expect(() => view(fullRow('completed', { output: '{' }))).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^Error deserializing value: /) as unknown,
        isRetryable: false,
      }),
    )
  })

  test.each([
    ['timed_out', new DurableExecutionTimedOutError('broke', true)],
    ['cancelled', new DurableExecutionCancelledError('broke')],
  ] as const)('has an error of the class that the row says: %s', (errorType, expected) => {
    const row = fullRow('failed', { error: { errorType, message: 'broke', isRetryable: true } })
    expect(view(row)).toHaveProperty('error', expected)
  })

  test.each(ALL_STATUSES)('of a %s execution shares nothing with its row', (status) => {
    const row = fullRow(status)
    const before = structuredClone(row)
    spoil(view(row))
    expect(row).toEqual(before)
  })
})

describe('the type of a view', () => {
  test('is narrowed by its status', () => {
    const execution = view(fullRow('completed'))
    if (execution.status === 'completed') {
      expectTypeOf(execution).toEqualTypeOf<DurableTaskCompletedExecution<string>>()
      expectTypeOf(execution.output).toEqualTypeOf<string>()
    }
    if (execution.status === 'ready') {
      expectTypeOf(execution).toEqualTypeOf<DurableTaskReadyExecution>()
      expectTypeOf(execution.error).toEqualTypeOf<DurableExecutionError | undefined>()
      // @ts-expect-error -- what is ready has no output
      void execution.output
    }
    expectTypeOf(execution.status).toEqualTypeOf<Status>()
  })

  test('of a finished execution has the six final statuses', () => {
    expectTypeOf<DurableTaskFinishedExecution<string>['status']>().toEqualTypeOf<
      'failed' | 'timed_out' | 'children_tasks_failed' | 'finalize_task_failed' | 'completed' | 'cancelled'
    >()
  })

  test('of a finished execution fits that of any', () => {
    expectTypeOf<DurableTaskFinishedExecution<string>>().toExtend<DurableTaskExecution<string>>()
  })

  test('of a cancelled execution has what is known, as optional', () => {
    expectTypeOf<DurableTaskCancelledExecution['startedAt']>().toEqualTypeOf<Date | undefined>()
  })

  test('leaves nothing over after a switch over all statuses', () => {
    const describeIt = (execution: DurableTaskExecution<string>): string => {
      switch (execution.status) {
        case 'ready':
        case 'running':
          return execution.error?.message ?? 'fine'
        case 'failed':
        case 'timed_out':
        case 'cancelled':
          return execution.error.message
        case 'waiting_for_children_tasks':
          return String(execution.childrenTasks.length)
        case 'children_tasks_failed':
          return String(execution.childrenTasksErrors.length)
        case 'waiting_for_finalize_task':
          return execution.finalizeTask.taskId
        case 'finalize_task_failed':
          return execution.finalizeTaskError.message
        case 'completed':
          return execution.output
      }
    }
    expect(describeIt(view(fullRow('completed')))).toBe('out')
  })
})

// Changes everything in the view that can be changed.
function spoil(value: unknown): void {
  if (value instanceof Date) {
    value.setTime(0)
  } else if (Array.isArray(value)) {
    value.forEach(spoil)
    value.length = 0
  } else if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(spoil)
    for (const key of Object.keys(value)) {
      Reflect.set(value, key, 'spoiled')
    }
  }
}
