/** The tasks that random trees are made of: parents that ask for what random-trees.ts says, and fold what comes back. */

import { type DurableChildTask, type DurableExecutor, type DurableTask } from '../../../src/index.ts'
import { type DurableTaskRunContext } from '../../../src/task/context.ts'
import { noted, type Outside } from './noted.ts'
import { type Below, fold, planOf, valueOf } from './random-trees.ts'

type Outputs = { childrenTasksOutputs: Array<{ output: unknown }> }
type ParentOutput = { output: number; childrenTasks: Array<DurableChildTask> }

/** How a child is named where it is asked for. */
type NameTask = (taskId: string) => { id: string }

export type TreeOptions = {
  outside: Outside
  isKnown: (taskId: string) => boolean
  nameTask: NameTask
  common: { timeoutMs: number; retryOptions: { maxAttempts: number; baseDelayMs: number } }
}

// Parents and finalize tasks fail now and then as well, and are retried. Inputs and folded outputs are no multiples of
// these more often than chance has it.
const FLAKY_PARENT = 5
const FLAKY_FINALIZE = 7

/** Defines those that the version knows. */
export function defineRandomTrees(
  executor: DurableExecutor,
  options: TreeOptions,
): Map<string, DurableTask<number, number>> {
  const { common, isKnown } = options
  const tasks = new Map<string, DurableTask<number, number>>()
  for (const id of ['knot', 'old_knot', 'new_knot'].filter(isKnown)) {
    const finalizeTask = {
      id: `${id}_tie`,
      ...common,
      run: async (ctx: DurableTaskRunContext, given: Outputs): Promise<number> =>
        await fragile(options, `${id}_tie`, FLAKY_FINALIZE, ctx, fold(valuesOf(given))),
    }
    tasks.set(id, executor.parentTask({ id, ...common, runParent: parentOf(options, id), finalizeTask }))
  }
  tasks.set(
    'grower',
    executor.parentTask({
      id: 'grower',
      ...common,
      runParent: parentOf(options, 'grower'),
      finalizeTask: growMore(options),
    }),
  )
  // Its output is no number, but valueOf makes one of it.
  const bare = executor.parentTask({ id: 'bare', ...common, runParent: parentOf(options, 'bare') })
  tasks.set('bare', { id: bare.id })
  return tasks
}

function growMore(options: TreeOptions): {
  id: string
  timeoutMs: number
  runParent: (ctx: DurableTaskRunContext, given: Outputs & { input: number }) => Promise<ParentOutput>
  finalizeTask: {
    id: string
    timeoutMs: number
    run: (ctx: DurableTaskRunContext, given: Outputs & { output: unknown }) => Promise<number>
  }
} {
  return {
    id: 'grower_more',
    ...options.common,
    runParent: async (ctx, given) => {
      const folded = fold(valuesOf(given))
      const output = await fragile(options, 'grower_more', FLAKY_FINALIZE, ctx, folded)
      return { output, childrenTasks: asked(planOf('grower', given.input).more, options.nameTask) }
    },
    finalizeTask: {
      id: 'grower_done',
      ...options.common,
      run: async (ctx, given) => {
        const folded = fold([given.output as number, ...valuesOf(given)])
        return await fragile(options, 'grower_done', FLAKY_FINALIZE, ctx, folded)
      },
    },
  }
}

function parentOf(
  options: TreeOptions,
  id: string,
): (ctx: DurableTaskRunContext, input: number) => Promise<ParentOutput> {
  return async (ctx, input) => ({
    output: await fragile(options, id, FLAKY_PARENT, ctx, input),
    childrenTasks: asked(planOf(id, input).children, options.nameTask),
  })
}

/** Gives the number; the first attempt fails if it is a multiple. */
async function fragile(
  { outside }: TreeOptions,
  taskId: string,
  multipleOf: number,
  ctx: DurableTaskRunContext,
  number: number,
): Promise<number> {
  const run = noted(outside, taskId, ({ attempt }, given) => {
    if (attempt === 0 && given % multipleOf === 0) {
      throw new Error('The first attempt of some fails')
    }
    return given
  })
  return await run(ctx, number)
}

function asked(below: ReadonlyArray<Below>, nameTask: NameTask): Array<DurableChildTask> {
  return below.map(({ taskId, input }) => ({ task: nameTask(taskId), input }))
}

function valuesOf({ childrenTasksOutputs }: Outputs): Array<number> {
  return childrenTasksOutputs.map(({ output }) => valueOf(output))
}
