/** The types of parents by their policy for children. The compiler is the judge; running them proves little. */

import {
  createInMemoryStorage,
  type DurableChildrenPolicy,
  type DurableChildTaskExecutionEnd,
  type DurableChildTaskExecutionOutput,
  DurableExecutor,
  type DurableExecutionErrorStorageObject,
  type DurableSettlingParentTaskOptions,
  type DurableTask,
} from 'durable-execution'
import { expect, expectTypeOf, test } from 'vitest'

const executor = new DurableExecutor(createInMemoryStorage())
let count = 0
const common = (): { id: string; timeoutMs: number } => ({ id: `task_${(count += 1)}`, timeoutMs: 1 })

type Outputs = Array<DurableChildTaskExecutionOutput>
type Ends = Array<DurableChildTaskExecutionEnd>

test('under the default policy there are outputs alone, whether it is named or not', () => {
  for (const policy of [{}, { childrenPolicy: 'fail_fast' }, { childrenPolicy: null }] as const) {
    const parent = executor.parentTask({
      ...common(),
      ...policy,
      runParent: (_ctx, input: string) => ({ output: input.length }),
    })
    expectTypeOf(parent).toEqualTypeOf<
      DurableTask<string, { output: number; childrenTasksOutputs: Outputs }>
    >()
  }
})

test('where children may fail, the finalize task is given how each ended', () => {
  const settling = executor.parentTask({
    ...common(),
    childrenPolicy: 'settle',
    runParent: (_ctx, input: string) => ({ output: input.length }),
    finalizeTask: {
      ...common(),
      run: (_ctx, given) => {
        expectTypeOf(given).toEqualTypeOf<{ input: string; output: number; childrenTasksOutputs: Ends }>()
        return given.childrenTasksOutputs.map((end) => (end.status === 'completed' ? end.output : end.error))
      },
    },
  })
  expectTypeOf(settling).toEqualTypeOf<DurableTask<string, Array<unknown>>>()
  const tolerating = executor.parentTask({
    ...common(),
    childrenPolicy: { tolerateFailures: 3 },
    runParent: () => ({ output: true }),
    finalizeTask: {
      ...common(),
      run: (_ctx, { childrenTasksOutputs }) => {
        expectTypeOf(childrenTasksOutputs).toEqualTypeOf<Ends>()
        return new Date(0)
      },
    },
  })
  expectTypeOf(tolerating).toEqualTypeOf<DurableTask<unknown, Date>>()
})

test('without a finalize task the output is the same', () => {
  const parent = executor.parentTask({
    ...common(),
    childrenPolicy: 'settle',
    runParent: (_ctx, input: string) => ({ output: input.length }),
  })
  expectTypeOf(parent).toEqualTypeOf<DurableTask<string, { output: number; childrenTasksOutputs: Ends }>>()
  const validated = executor
    .validateInput((input: string) => input.length)
    .parentTask({
      ...common(),
      childrenPolicy: { tolerateFailures: 1 },
      runParent: (_ctx, input) => ({ output: input }),
    })
  expectTypeOf(validated).toEqualTypeOf<DurableTask<string, { output: number; childrenTasksOutputs: Ends }>>()
})

test('a finalize task that is a parent has a policy of its own', () => {
  const parent = executor.parentTask({
    ...common(),
    runParent: (_ctx, input: string) => ({ output: input.length }),
    finalizeTask: {
      ...common(),
      childrenPolicy: 'settle',
      runParent: (_ctx, { childrenTasksOutputs }) => {
        expectTypeOf(childrenTasksOutputs).toEqualTypeOf<Outputs>()
        return { output: false }
      },
      finalizeTask: {
        ...common(),
        run: (_ctx, { output, childrenTasksOutputs }) => {
          expectTypeOf(output).toEqualTypeOf<boolean>()
          expectTypeOf(childrenTasksOutputs).toEqualTypeOf<Ends>()
          return new Date(0)
        },
      },
    },
  })
  expectTypeOf(parent).toEqualTypeOf<DurableTask<string, Date>>()
})

test('an end is told apart by its status', () => {
  const describeEnd = (end: DurableChildTaskExecutionEnd<number>): string => {
    switch (end.status) {
      case 'completed':
        expectTypeOf(end.output).toEqualTypeOf<number>()
        return 'completed'
      default:
        expectTypeOf(end.error).toEqualTypeOf<DurableExecutionErrorStorageObject>()
        return end.error.message
    }
  }
  expect(describeEnd({ index: 0, taskId: 'a', executionId: 'b', status: 'completed', output: 1 })).toBe(
    'completed',
  )
})

test('options may be put together before, and a policy is one of the three', () => {
  const options: DurableSettlingParentTaskOptions<string, number, Date, unknown> = {
    ...common(),
    childrenPolicy: 'settle',
    runParent: (_ctx, input) => ({ output: input.length }),
    finalizeTask: { ...common(), run: () => new Date(0) },
  }
  expectTypeOf(executor.parentTask(options)).toEqualTypeOf<DurableTask<string, Date>>()
  // @ts-expect-error There is no such policy.
  const wrong: DurableChildrenPolicy = 'ignore'
  const define = (): unknown =>
    // @ts-expect-error There is no such policy.
    executor.parentTask({ ...common(), childrenPolicy: 'ignore', runParent: () => ({ output: 1 }) })
  expect([wrong, define]).toHaveLength(2)
})
