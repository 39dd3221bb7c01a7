/** The tasks that the processes of these tests share. */

import { type DurableExecutor, type DurableTask } from '../../src/index.ts'

/** What the tasks do to the world outside: write into a ledger, and take time. */
export type Outside = {
  note: (what: 'start' | 'end' | 'stopped', executionId: string) => void
  pause: (ms: number, options?: { signal?: AbortSignal }) => Promise<unknown>
}

export type Work = {
  leaf: DurableTask<number, number>
  tree: DurableTask<number, number>
  endless: DurableTask<undefined, undefined>
}

export const CHILDREN = 10

export function defineWork(executor: DurableExecutor, outside: Outside): Work {
  const leaf = executor.task({
    id: 'leaf',
    timeoutMs: 60_000,
    retryOptions: { maxAttempts: 3 },
    run: async (ctx, input: number) => {
      outside.note('start', ctx.executionId)
      await outside.pause(10 + (input % 20))
      if (input % 7 === 0 && ctx.attempt === 0) {
        throw new Error('the first attempt of every seventh fails')
      }
      outside.note('end', ctx.executionId)
      return input * 2
    },
  })
  const tree = executor.parentTask({
    id: 'tree',
    timeoutMs: 60_000,
    runParent: (ctx, input: number) => {
      outside.note('start', ctx.executionId)
      return {
        output: input,
        childrenTasks: Array.from({ length: CHILDREN }, (_, index) => ({ task: leaf, input: input + index })),
      }
    },
    finalizeTask: {
      id: 'combine',
      timeoutMs: 60_000,
      run: (ctx, { childrenTasksOutputs }) => {
        outside.note('end', ctx.executionId)
        return childrenTasksOutputs.reduce((sum, child) => sum + (child.output as number), 0)
      },
    },
  })
  const endless = executor.task({
    id: 'endless',
    timeoutMs: 600_000,
    run: async (ctx, _input: undefined) => {
      outside.note('start', ctx.executionId)
      await outside.pause(600_000, { signal: ctx.abortSignal }).catch(() => {})
      outside.note('stopped', ctx.executionId)
      return undefined
    },
  })
  return { leaf, tree, endless }
}
