/** The tasks that the processes share: plain ones, trees, and those that fail, hang or are known to some alone. */

import { DurableExecutionError, type DurableExecutor, type DurableTask } from '../../../src/index.ts'
import { noted, type Outside, type Run } from './noted.ts'
import { defineOrder, ORDER } from './order-task.ts'
import { defineRandomTrees } from './tree-tasks.ts'

/** Which code a process runs. The old and the new one each know tasks that the other does not; a client knows all. */
export type Version = 'old' | 'new' | 'client'

type NumberTask = DurableTask<number, number>

export type Tasks = Map<string, NumberTask>

export const CHILDREN = 10

/** How many members a sequence has. */
const SEQUENCE = ['leaf', 'plain', 'leaf'] as const

/**
 * Tasks that only one version knows: between the old and the new one some were removed, some were added, and the parent
 * `old_knot` is called `new_knot`. What only a client knows is run by nobody.
 */
export const KNOWN_TO: ReadonlyMap<string, Version> = new Map<string, Version>([
  ['nobody', 'client'],
  ['only_old', 'old'],
  ['old_knot', 'old'],
  ['old_knot_tie', 'old'],
  ['only_new', 'new'],
  ['new_knot', 'new'],
  ['new_knot_tie', 'new'],
  ['new_tree', 'new'],
  ['new_finish', 'new'],
])

const TIMEOUT_MS = 120_000

// Longer than clocks differ, so that the checker sees a retry that comes too early.
const RETRY_DELAY_MS = 600

/** Whether the task is a step of a sequence: the engine's own, which leaves no line in the ledger. */
export function isSequenceStep(taskId: string): boolean {
  return taskId.startsWith('st_')
}

/** Whether it is a sequence, which is the first of its steps; the others are finalize tasks. */
export function isSequence(taskId: string): boolean {
  return isSequenceStep(taskId) && !/_\d+$/.test(taskId.slice('st_'.length))
}

/** Whether a parent task has a finalize task. */
export function hasFinalizeTask(taskId: string): boolean {
  const isLastStep = isSequenceStep(taskId) && taskId.endsWith(`_${SEQUENCE.length}`)
  return taskId !== 'bare' && taskId !== ORDER && !isLastStep
}

/** Defines the tasks of the version; gives those that can be enqueued, by their ids. */
export function defineTasks(executor: DurableExecutor, outside: Outside, version: Version): Tasks {
  const tasks: Tasks = new Map()
  const isKnown = (id: string): boolean => version === 'client' || (KNOWN_TO.get(id) ?? version) === version
  const define = (id: string, run: Run, options: { maxAttempts?: number; timeoutMs?: number } = {}): void => {
    const { maxAttempts = 0, timeoutMs = TIMEOUT_MS } = options
    const retryOptions = { maxAttempts, baseDelayMs: RETRY_DELAY_MS }
    if (isKnown(id)) {
      tasks.set(id, executor.task({ id, timeoutMs, retryOptions, run: noted(outside, id, run) }))
    }
  }
  definePlain(define, outside)
  const of = (id: string, input: number): { task: NumberTask; input: number } => ({ task: { id }, input })
  const defineTree = (
    id: string,
    childrenOf: (input: number) => Array<[string, number]>,
    last: Last,
  ): void => {
    if (isKnown(id)) {
      tasks.set(
        id,
        executor.parentTask<number, number, number>({
          id,
          timeoutMs: TIMEOUT_MS,
          runParent: async (ctx, input) => {
            const output = await noted(outside, id, (_, given) => given)(ctx, input)
            return { output, childrenTasks: childrenOf(input).map(([task, given]) => of(task, given)) }
          },
          finalizeTask: {
            id: last.id,
            timeoutMs: TIMEOUT_MS,
            run: async (ctx, given) =>
              await noted(outside, last.id, () => (last.run ?? sum)(outputsOf(given)))(ctx, given.input),
          },
        }),
      )
    }
  }
  defineTrees(defineTree)
  tasks.set(ORDER, defineOrder(executor, outside))
  tasks.set('nested', defineNested(executor, outside))
  const [first, second, third] = SEQUENCE
  const sequence = executor.sequentialTasks<readonly [NumberTask, NumberTask, NumberTask]>(
    { id: first },
    { id: second },
    { id: third },
  )
  tasks.set('sequence', sequence)
  const common = { timeoutMs: TIMEOUT_MS, retryOptions: { maxAttempts: 3, baseDelayMs: RETRY_DELAY_MS } }
  const nameTask = (id: string): { id: string } => (id === 'sequence' ? sequence : { id })
  for (const [id, task] of defineRandomTrees(executor, { outside, isKnown, nameTask, common })) {
    tasks.set(id, task)
  }
  return tasks
}

type Last = { id: string; run?: (outputs: Array<number>) => number }

function definePlain(
  define: (id: string, run: Run, options?: { maxAttempts?: number; timeoutMs?: number }) => void,
  { pause }: Outside,
): void {
  const flaky: Run = async (ctx, input) => {
    await pause(2 + (input % 9))
    if (input % 7 === 0 && ctx.attempt === 0) {
      throw new Error('The first attempt of every seventh fails')
    }
    return input * 2
  }
  define('plain', flaky, { maxAttempts: 3 })
  define('leaf', flaky, { maxAttempts: 3 })
  define('only_old', (_, input) => input + 1)
  define('only_new', (_, input) => input + 1)
  define('nobody', (_, input) => input)
  define('patient', async (ctx, input) => {
    await pause(2_000, ctx.abortSignal)
    return input
  })
  define('endless', async (ctx, input) => {
    await pause(600_000, ctx.abortSignal)
    return input
  })
  define('broken', async () => {
    await pause(20)
    throw new DurableExecutionError('This one never works', false)
  })
  // Enough attempts that a machine too busy to end the second one in time does not end them all.
  const lateUntil = (attempts: number): Run => {
    return async (ctx, input) => {
      await (ctx.attempt < attempts ? pause(600_000, ctx.abortSignal) : undefined)
      return input
    }
  }
  define('late', lateUntil(1), { maxAttempts: 10, timeoutMs: 300 })
  define('too_late', lateUntil(Infinity), { maxAttempts: 1, timeoutMs: 300 })
}

function defineTrees(
  defineTree: (id: string, childrenOf: (input: number) => Array<[string, number]>, last: Last) => void,
): void {
  const leaves = (count: number, input: number): Array<[string, number]> =>
    Array.from({ length: count }, (_, index) => ['leaf', input + index])
  defineTree('tree', (input) => leaves(CHILDREN, input), { id: 'combine' })
  defineTree('branch', (input) => leaves(3, input), { id: 'branch_combine' })
  const patients = (input: number): Array<[string, number]> =>
    [1, 2, 3].map((index) => ['patient', input + index])
  defineTree('bad_tree', (input) => [['broken', input], ...patients(input)], { id: 'never' })
  defineTree('bad_finalize', (input) => leaves(2, input), {
    id: 'bad_finish',
    run: () => {
      throw new DurableExecutionError('The last step never works', false)
    },
  })
  defineTree(
    'new_tree',
    (input) => [
      ['only_new', input],
      ['leaf', input],
      ['only_new', input + 1],
    ],
    { id: 'new_finish' },
  )
}

/** A parent of parents, whose finalize task has children and a finalize task of its own. */
function defineNested(executor: DurableExecutor, outside: Outside): NumberTask {
  const child = (id: string, input: number): { task: NumberTask; input: number } => ({ task: { id }, input })
  return executor.parentTask<number, number, number, number>({
    id: 'nested',
    timeoutMs: TIMEOUT_MS,
    runParent: async (ctx, input) => ({
      output: await noted(outside, 'nested', (_, given) => given)(ctx, input),
      childrenTasks: [child('branch', input), child('branch', input + 10), child('leaf', input)],
    }),
    finalizeTask: {
      id: 'gather',
      timeoutMs: TIMEOUT_MS,
      runParent: async (ctx, given) => {
        const output = await noted(outside, 'gather', () => sum(outputsOf(given)))(ctx, given.input)
        return { output, childrenTasks: [child('leaf', output), child('leaf', output + 1)] }
      },
      finalizeTask: {
        id: 'finish',
        timeoutMs: TIMEOUT_MS,
        run: async (ctx, given) =>
          await noted(outside, 'finish', () => sum(outputsOf(given)))(ctx, given.output),
      },
    },
  })
}

function outputsOf({
  childrenTasksOutputs,
}: {
  childrenTasksOutputs: Array<{ output: unknown }>
}): Array<number> {
  return childrenTasksOutputs.map((child) => child.output as number)
}

function sum(numbers: Array<number>): number {
  return numbers.reduce((total, one) => total + one, 0)
}
