/** The types of handles, views, errors and signals. The compiler is the judge; running them proves little. */

import {
  type CancelSignal,
  createCancellablePromise,
  createCancelSignal,
  createInMemoryStorage,
  createTimeoutCancelSignal,
  DurableExecutionCancelledError,
  DurableExecutionError,
  DurableExecutionTimedOutError,
  DurableExecutor,
  type DurableTaskCancelledExecution,
  type DurableTaskChildrenTasksFailedExecution,
  type DurableTaskCompletedExecution,
  type DurableTaskExecution,
  type DurableTaskExecutionStatusStorageObject,
  type DurableTaskFailedExecution,
  type DurableTaskFinalizeTaskFailedExecution,
  type DurableTaskFinishedExecution,
  type DurableTaskHandle,
  type DurableTaskReadyExecution,
  type DurableTaskRunningExecution,
  type DurableTaskTimedOutExecution,
  type DurableTaskWaitingForChildrenTasksExecution,
  type DurableTaskWaitingForFinalizeTaskExecution,
  type Logger,
  type Serializer,
  WrappedSerializer,
} from 'durable-execution'
import { createSuperjsonSerializer } from 'durable-execution/superjson'
import { describe, expect, expectTypeOf, test } from 'vitest'

const executor = new DurableExecutor(createInMemoryStorage())
const toDate = executor.task({
  id: 'to_date',
  timeoutMs: 1,
  run: async (_ctx, input: number) => new Date(input),
})

describe('handles and views', () => {
  test('enqueueing gives a handle of the task’s output', () => {
    const enqueue = (): Promise<DurableTaskHandle<Date>> => executor.enqueueTask(toDate, 1, { timeoutMs: 5 })
    const get = (): Promise<DurableTaskHandle<Date>> => executor.getTaskHandle(toDate, 'te_1')
    // @ts-expect-error The input does not fit the task.
    const wrong = (): Promise<unknown> => executor.enqueueTask(toDate, 'x')
    expect([enqueue, get, wrong]).toHaveLength(3)
  })

  test('a handle’s answers have the types of the docs', () => {
    type Handle = DurableTaskHandle<Date>
    expectTypeOf<ReturnType<Handle['getTaskExecution']>>().toEqualTypeOf<
      Promise<DurableTaskExecution<Date>>
    >()
    expectTypeOf<ReturnType<Handle['waitAndGetTaskFinishedExecution']>>().toEqualTypeOf<
      Promise<DurableTaskFinishedExecution<Date>>
    >()
    expectTypeOf<ReturnType<Handle['cancel']>>().toEqualTypeOf<Promise<boolean>>()
    expectTypeOf<Handle['waitAndGetTaskFinishedExecution']>().toBeCallableWith({
      signal: new AbortController().signal,
      pollingIntervalMs: 5,
    })
    expectTypeOf<Handle['waitAndGetTaskFinishedExecution']>().toBeCallableWith({
      signal: createCancelSignal()[0],
    })
  })

  test('the status of a view tells its fields', () => {
    const look = (execution: DurableTaskExecution<Date>): unknown => {
      switch (execution.status) {
        case 'ready':
          return execution.startAt
        case 'running':
          return execution.expiresAt
        case 'failed':
        case 'timed_out':
        case 'cancelled':
          return execution.error.getErrorType()
        case 'waiting_for_children_tasks':
          return execution.childrenTasks
        case 'children_tasks_failed':
          return execution.childrenTasksErrors[0]?.error
        case 'waiting_for_finalize_task':
          return execution.finalizeTask
        case 'finalize_task_failed':
          return execution.finalizeTaskError
        case 'completed':
          expectTypeOf(execution.output).toEqualTypeOf<Date>()
          return execution.output
      }
    }
    expectTypeOf<
      DurableTaskExecution<Date>['status']
    >().toEqualTypeOf<DurableTaskExecutionStatusStorageObject>()
    expect(look).toBeTypeOf('function')
  })

  test('each status has a type, and six of them are finished', () => {
    type Finished =
      | DurableTaskFailedExecution
      | DurableTaskTimedOutExecution
      | DurableTaskChildrenTasksFailedExecution
      | DurableTaskFinalizeTaskFailedExecution
      | DurableTaskCompletedExecution<Date>
      | DurableTaskCancelledExecution
    expectTypeOf<DurableTaskFinishedExecution<Date>>().toEqualTypeOf<Finished>()
    expectTypeOf<DurableTaskExecution<Date>>().toEqualTypeOf<
      | Finished
      | DurableTaskReadyExecution
      | DurableTaskRunningExecution
      | DurableTaskWaitingForChildrenTasksExecution
      | DurableTaskWaitingForFinalizeTaskExecution
    >()
  })
})

describe('errors, signals, serializers and loggers', () => {
  test('errors say their type and whether to try again', () => {
    expectTypeOf<DurableExecutionError['isRetryable']>().toEqualTypeOf<boolean>()
    expectTypeOf<ReturnType<DurableExecutionError['getErrorType']>>().toEqualTypeOf<
      'generic' | 'timed_out' | 'cancelled'
    >()
    expect(new DurableExecutionTimedOutError()).toMatchObject({
      message: 'Task timed out',
      isRetryable: true,
    })
    expect(new DurableExecutionCancelledError()).toMatchObject({
      message: 'Task cancelled',
      isRetryable: false,
    })
    expect(new DurableExecutionError('x').isRetryable).toBe(true)
  })

  test('signals are made and waited for', async () => {
    const [signal, cancel] = createCancelSignal({ abortSignal: null, logger: undefined })
    expectTypeOf(signal).toEqualTypeOf<CancelSignal>()
    expectTypeOf(cancel).toEqualTypeOf<() => void>()
    expectTypeOf(createTimeoutCancelSignal).returns.toEqualTypeOf<CancelSignal>()
    expectTypeOf(createCancellablePromise(Promise.resolve(1), signal, new Error('x'))).toEqualTypeOf<
      Promise<number>
    >()
    expect(await createCancellablePromise(Promise.resolve(1), null, null)).toBe(1)
  })

  test('null in the place of options says nothing', () => {
    expect(createCancelSignal(null)[0].isCancelled()).toBe(false)
    expect(createTimeoutCancelSignal(1_000, null).isCancelled()).toBe(false)
    expect(new DurableExecutor(createInMemoryStorage(null), null)).toBeInstanceOf(DurableExecutor)
  })

  test('console and the serializers of others fit', () => {
    const options: ConstructorParameters<typeof DurableExecutor>[1] = {
      logger: console,
      serializer: createSuperjsonSerializer(),
      expireMs: undefined,
      maxLosses: null,
    }
    const logger: Logger = console
    const json: Serializer = {
      serialize: (value) => JSON.stringify(value),
      deserialize: (text) => JSON.parse(text) as never,
    }
    expect([options, logger, new WrappedSerializer(json)]).toHaveLength(3)
  })
})
