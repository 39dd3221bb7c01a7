/** The types of tasks: what a program may write and what it may not. The compiler is the judge; running them proves little. */

import { type DatabaseSync } from 'node:sqlite'

import {
  type CancelSignal,
  createInMemoryStorage,
  type DurableChildTask,
  type DurableChildTaskExecution,
  type DurableChildTaskExecutionError,
  type DurableChildTaskExecutionErrorStorageObject,
  type DurableChildTaskExecutionOutput,
  DurableExecutionError,
  type DurableExecutionErrorStorageObject,
  DurableExecutor,
  type DurableFinalizeTaskOptions,
  type DurableParentTaskOptions,
  type DurableTask,
  type DurableTaskCommonOptions,
  type DurableTaskEnqueueOptions,
  type DurableTaskOnChildrenCompleteInput,
  type DurableTaskOptions,
  type DurableTaskRetryOptions,
  type DurableCode,
  type DurableStepContext,
  type DurableTaskRunContext,
  type SequentialDurableTasks,
  type SequentialDurableTasksHelper,
} from 'durable-execution'
import { type PostgresTransaction, type PostgresTransactionClient } from 'durable-execution/postgres'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'

const executor = new DurableExecutor(createInMemoryStorage())
let lastId = 0
const newId = (): string => `task_${(lastId += 1)}`

const toNumber = executor.task({ id: newId(), timeoutMs: 1, run: (_ctx, input: string) => Number(input) })
const toText = executor.task({ id: newId(), timeoutMs: 1, run: (_ctx, input: number) => String(input) })
const toDate = executor.task({
  id: newId(),
  timeoutMs: 1,
  run: async (_ctx, input: number) => new Date(input),
})

describe('tasks', () => {
  test('a task has the types of its function', () => {
    expectTypeOf(toNumber).toEqualTypeOf<DurableTask<string, number>>()
    expectTypeOf(toDate).toEqualTypeOf<DurableTask<number, Date>>()
  })

  test('an id alone names a task, and the carrier of types is never there', () => {
    const named: DurableTask<string, number> = { id: 'elsewhere' }
    expectTypeOf(named['~types']).toEqualTypeOf<{ input: string; output: number } | undefined>()
    expect('~types' in toNumber).toBe(false)
  })

  test('options may be undefined or null', () => {
    const options: DurableTaskCommonOptions = {
      id: newId(),
      timeoutMs: 1,
      retryOptions: undefined,
      sleepMsBeforeRun: null,
    }
    const enqueue: DurableTaskEnqueueOptions = {
      retryOptions: null,
      sleepMsBeforeRun: undefined,
      timeoutMs: null,
    }
    const retry: DurableTaskRetryOptions = { maxAttempts: 1, baseDelayMs: undefined, maxDelayMs: undefined }
    expect([options, enqueue, retry]).toHaveLength(3)
  })

  test('wrong options do not compile', () => {
    // @ts-expect-error A task needs a timeout.
    const noTimeout: DurableTaskOptions<string, string> = { id: 'x', run: () => 'x' }
    // @ts-expect-error Retry options need the number of retries.
    const noMaxAttempts: DurableTaskRetryOptions = { baseDelayMs: 1 }
    // @ts-expect-error A parent runs by runParent.
    const noRunParent: DurableParentTaskOptions<string, string, string, unknown> = { id: 'x', timeoutMs: 1 }
    expect([noTimeout, noMaxAttempts, noRunParent]).toHaveLength(3)
  })

  test('a context has what the table of the docs says', () => {
    expectTypeOf<DurableTaskRunContext>().toEqualTypeOf<
      {
        taskId: string
        executionId: string
        cancelSignal: CancelSignal
        shutdownSignal: CancelSignal
        readonly abortSignal: AbortSignal
        attempt: number
        prevError?: DurableExecutionErrorStorageObject
        idempotencyKey: string
        fencingToken: number
      } & DurableCode
    >()
  })
})

describe('transactions in code', () => {
  test('the type of what is written through is said by the function, and its result is that of the call', () => {
    const run = async (ctx: DurableTaskRunContext): Promise<unknown> => {
      const count = ctx.transaction('count', async (tx: PostgresTransactionClient, step) => {
        expectTypeOf(step).toEqualTypeOf<DurableStepContext>()
        const { rows } = await tx.query<{ n: number }>('select 1 as n')
        return rows.length
      })
      expectTypeOf(count).toEqualTypeOf<Promise<number>>()
      expectTypeOf(ctx.transaction('sync', (tx: DatabaseSync) => tx.isOpen)).toEqualTypeOf<Promise<boolean>>()
      // @ts-expect-error What is written through is nothing in particular until the function says what.
      await ctx.transaction('unsaid', async (tx) => await tx.query('select 1'))
      // @ts-expect-error It is no text.
      return await ctx.transaction('wrong', (tx: string) => tx)
    }
    expect(run).toBeTypeOf('function')
  })

  test('an enqueue takes what a transaction in code gives', () => {
    expectTypeOf<PostgresTransactionClient>().toExtend<PostgresTransaction>()
  })
})

describe('parents', () => {
  test('without a finalize task the output is the run’s and the children’s', () => {
    const parent = executor.parentTask({
      id: newId(),
      timeoutMs: 1,
      runParent: (_ctx, input: string) => ({
        output: input.length,
        childrenTasks: [
          { task: toNumber, input: '1' },
          { task: toText, input: 1, options: { timeoutMs: 5 } },
        ],
      }),
    })
    expectTypeOf(parent).toEqualTypeOf<
      DurableTask<string, { output: number; childrenTasksOutputs: Array<DurableChildTaskExecutionOutput> }>
    >()
  })

  test('with a finalize task the output is the finalize task’s', () => {
    const parent = executor.parentTask({
      id: newId(),
      timeoutMs: 1,
      runParent: (_ctx, input: string) => ({ output: input.length, childrenTasks: [] }),
      finalizeTask: {
        id: newId(),
        timeoutMs: 1,
        run: (_ctx, given) => {
          expectTypeOf(given).toEqualTypeOf<DurableTaskOnChildrenCompleteInput<string, number>>()
          return { input: given.input, output: given.output, outputs: given.childrenTasksOutputs }
        },
      },
    })
    expectTypeOf(parent).toEqualTypeOf<
      DurableTask<string, { input: string; output: number; outputs: Array<DurableChildTaskExecutionOutput> }>
    >()
  })

  test('finalize tasks nest', () => {
    const finalize: DurableFinalizeTaskOptions<string, number, Date, boolean> = {
      id: newId(),
      timeoutMs: 1,
      runParent: (_ctx, { input, output }) => ({ output: input.length === output }),
      finalizeTask: {
        id: newId(),
        timeoutMs: 1,
        run: (_ctx, { output }) => {
          expectTypeOf(output).toEqualTypeOf<boolean>()
          return new Date(0)
        },
      },
    }
    const parent = executor.parentTask({
      id: newId(),
      timeoutMs: 1,
      runParent: (_ctx, input: string) => ({ output: input.length }),
      finalizeTask: finalize,
    })
    expectTypeOf(parent).toEqualTypeOf<DurableTask<string, Date>>()
  })

  test('children are of any task, and know their types', () => {
    const child: DurableChildTask<string, number> = { task: toNumber, input: '1' }
    const children: Array<DurableChildTask> = [child, { task: toText, input: 1 }]
    // @ts-expect-error The input does not fit the task.
    const wrong: DurableChildTask<string, number> = { task: toNumber, input: 1 }
    expect([...children, wrong]).toHaveLength(3)
  })

  test('types of children, their outputs and their errors are exported', () => {
    expectTypeOf<DurableChildTaskExecution>().toEqualTypeOf<{ taskId: string; executionId: string }>()
    expectTypeOf<DurableChildTaskExecutionOutput<Date>>().toEqualTypeOf<{
      index: number
      taskId: string
      executionId: string
      output: Date
    }>()
    expectTypeOf<DurableChildTaskExecutionError>().toEqualTypeOf<{
      index: number
      taskId: string
      executionId: string
      error: DurableExecutionError
    }>()
    expectTypeOf<DurableChildTaskExecutionErrorStorageObject>().toEqualTypeOf<{
      index: number
      taskId: string
      executionId: string
      error: DurableExecutionErrorStorageObject
    }>()
  })
})

describe('checked inputs', () => {
  test('a function turns what is enqueued into what is run', () => {
    const task = executor
      .validateInput(async (input: string) => Number(input))
      .task({
        id: newId(),
        timeoutMs: 1,
        run: (_ctx, input) => {
          expectTypeOf(input).toEqualTypeOf<number>()
          return [input]
        },
      })
    expectTypeOf(task).toEqualTypeOf<DurableTask<string, Array<number>>>()
  })

  test('a schema has the type of its input outside and that of its output inside', () => {
    const schema = z.object({ at: z.string().transform((text) => new Date(text)) })
    const parent = executor.inputSchema(schema).parentTask({
      id: newId(),
      timeoutMs: 1,
      runParent: (_ctx, input) => {
        expectTypeOf(input).toEqualTypeOf<{ at: Date }>()
        return { output: input.at }
      },
      finalizeTask: {
        id: newId(),
        timeoutMs: 1,
        run: (_ctx, { input, output }) => input.at > output,
      },
    })
    expectTypeOf(parent).toEqualTypeOf<DurableTask<{ at: string }, boolean>>()
  })
})

describe('sequences', () => {
  test('a sequence takes what its first member takes and gives what its last one gives', () => {
    expectTypeOf(executor.sequentialTasks(toNumber, toDate)).toEqualTypeOf<DurableTask<string, Date>>()
    expectTypeOf(executor.sequentialTasks(toNumber, toText, toNumber, toText)).toEqualTypeOf<
      DurableTask<string, string>
    >()
    expectTypeOf(executor.sequentialTasks(toDate)).toEqualTypeOf<DurableTask<number, Date>>()
  })

  test('a member that does not take what the one before gives does not compile', () => {
    // @ts-expect-error A number comes out of the first, a text goes into the second.
    executor.sequentialTasks(toNumber, toNumber)
    // @ts-expect-error A date comes out of the second, a number goes into the third.
    executor.sequentialTasks(toNumber, toDate, toText)
    // @ts-expect-error The last one counts too.
    executor.sequentialTasks(toNumber, toText, toNumber, toNumber)
  })

  test('a member may take more than the one before gives', () => {
    const lenient = executor.task({ id: newId(), timeoutMs: 1, run: (_ctx, input: unknown) => String(input) })
    const wider = executor.task({ id: newId(), timeoutMs: 1, run: (_ctx, input: number | string) => input })
    expectTypeOf(executor.sequentialTasks(toNumber, lenient)).toEqualTypeOf<DurableTask<string, string>>()
    expectTypeOf(executor.sequentialTasks(toNumber, wider)).toEqualTypeOf<
      DurableTask<string, number | string>
    >()
  })

  test('the types that check a list are exported', () => {
    type Fitting = readonly [DurableTask<string, number>, DurableTask<number, Date>]
    expectTypeOf<SequentialDurableTasks<readonly []>>().toEqualTypeOf<readonly []>()
    expectTypeOf<SequentialDurableTasks<Fitting>>().toEqualTypeOf<Fitting>()
    expectTypeOf<SequentialDurableTasksHelper<readonly [Fitting[0], Fitting[0]]>>().not.toEqualTypeOf<
      readonly [Fitting[0], Fitting[0]]
    >()
  })
})
