/** The tasks of a simulation, defined on one process's executor. */

import { assert } from '../../base/assert.ts'
import { DurableExecutionError } from '../../base/errors.ts'
import { type Millis } from '../../base/clock.ts'
import { type DurableExecutor } from '../../executor/executor.ts'
import { type DurableTaskRunContext } from '../../task/context.ts'
import { type DurableChildTask, type DurableTask } from '../../task/define.ts'
import { type FlowRun } from './flow-witness.ts'
import { runFlow } from './sim-flow.ts'
import { FLAKY_RETRIES, taskIdOf, type Work } from './work.ts'

/** What the functions need of the process they run in. */
export type Hands = {
  /** Told first of all, before anything else of the function happens. */
  started: (executionId: string) => void
  /** The same for durable code. */
  begin: (ctx: DurableTaskRunContext) => FlowRun
  pause: (ms: Millis) => Promise<void>
}

export type SimTasks = {
  /** The task for the work; undefined where this process does not know it. */
  taskFor: (work: Work) => DurableTask<Work, unknown> | undefined
}

/** Longer than any work lasts, and than any process stands still: only slow work ends by it. */
const TIMEOUT_MS = 120_000
const SLOW_TIMEOUT_MS = 2_000

export type Tasks = Map<string, DurableTask<Work, unknown>>
type Grown = { output: number; childrenTasks: Array<DurableChildTask> }
type Ripe = { output: number; childrenTasksOutputs: ReadonlyArray<{ output: unknown }> }

/** Defines the tasks; without `knowsTrees` those of trees and durable code are left out, as in a process with older code. */
export function defineSimTasks(executor: DurableExecutor, hands: Hands, knowsTrees: boolean): SimTasks {
  const tasks: Tasks = new Map()
  definePlain(executor, hands, tasks)
  defineSequences(executor, hands, tasks)
  if (knowsTrees) {
    defineTrees(executor, hands, tasks)
    const flow = executor.task({
      id: 'flow',
      timeoutMs: TIMEOUT_MS,
      retryOptions: { maxAttempts: FLAKY_RETRIES, baseDelayMs: 300, delayMultiplier: 2 },
      run: async (ctx, work: Work) => await runFlow(ctx, work, hands, tasks),
    })
    tasks.set('flow', flow)
  }
  return { taskFor: (work) => tasks.get(taskIdOf(work)) }
}

function definePlain(executor: DurableExecutor, hands: Hands, tasks: Tasks): void {
  const define = <K extends Work['kind']>(
    kind: K,
    limits: { timeoutMs: Millis; retries: number },
    run: (ctx: DurableTaskRunContext, work: Extract<Work, { kind: K }>) => Promise<number> | number,
  ): void => {
    const task = executor.task({
      id: kind,
      timeoutMs: limits.timeoutMs,
      retryOptions: { maxAttempts: limits.retries, baseDelayMs: 300, delayMultiplier: 2 },
      run: (ctx, work: Work) => {
        hands.started(ctx.executionId)
        return run(ctx, work as Extract<Work, { kind: K }>)
      },
    })
    tasks.set(kind, task)
  }
  const usual = { timeoutMs: TIMEOUT_MS, retries: 0 }
  define('plain', usual, (_, { value, ms }) => (ms === 0 ? value : hands.pause(ms).then(() => value)))
  define('flaky', { ...usual, retries: FLAKY_RETRIES }, async (ctx, { value, ms, failures }) => {
    await hands.pause(ms)
    if (ctx.attempt < failures) {
      throw new Error('planned failure, to be retried')
    }
    return value
  })
  // Its error forbids what its options allow.
  define('failing', { ...usual, retries: FLAKY_RETRIES }, async (_, { ms }) => {
    await hands.pause(ms)
    throw new DurableExecutionError('planned failure', false)
  })
  define('slow', { timeoutMs: SLOW_TIMEOUT_MS, retries: 0 }, (ctx, { obeys }) => slowly(ctx, obeys, hands))
}

async function slowly(
  { cancelSignal }: DurableTaskRunContext,
  obeys: boolean,
  hands: Hands,
): Promise<number> {
  const told = new Promise<void>((_, reject) => {
    if (obeys) {
      cancelSignal.onCancelled(() => reject(new Error('stopped when it was told to')))
    }
  })
  await Promise.race([told, hands.pause(10 * SLOW_TIMEOUT_MS)])
  return 0
}

function defineSequences(executor: DurableExecutor, hands: Hands, tasks: Tasks): void {
  const first = executor.task({
    id: 'sequence_first',
    timeoutMs: TIMEOUT_MS,
    run: (ctx, work: Work) => {
      hands.started(ctx.executionId)
      return work.kind === 'sequence' ? work.value + 1 : NaN
    },
  })
  const [second, third] = ['sequence_second', 'sequence_third'].map((id) =>
    executor.task({
      id,
      timeoutMs: TIMEOUT_MS,
      run: async (ctx, value: number) => {
        hands.started(ctx.executionId)
        await hands.pause(value % 50)
        return value + 1
      },
    }),
  )
  assert(second !== undefined && third !== undefined, 'two members were defined')
  tasks.set('sequence_2', executor.sequentialTasks(first, second))
  tasks.set('sequence_3', executor.sequentialTasks(first, second, third))
}

function defineTrees(executor: DurableExecutor, hands: Hands, tasks: Tasks): void {
  const runParent = ({ executionId }: DurableTaskRunContext, work: Work): Grown => {
    hands.started(executionId)
    assert(work.kind === 'tree', 'only trees grow')
    const childrenTasks = work.children.map((child) => ({ task: taskOf(tasks, child), input: child }))
    return { output: work.value, childrenTasks }
  }
  const sum = (ctx: DurableTaskRunContext, input: Ripe): number => {
    hands.started(ctx.executionId)
    return numberOf(input)
  }
  tasks.set('tree_none', executor.parentTask({ id: 'tree_none', timeoutMs: TIMEOUT_MS, runParent }))
  tasks.set(
    'tree_sum',
    executor.parentTask({
      id: 'tree_sum',
      timeoutMs: TIMEOUT_MS,
      runParent,
      finalizeTask: { id: 'sum', timeoutMs: TIMEOUT_MS, run: sum },
    }),
  )
  tasks.set(
    'tree_tree',
    executor.parentTask({
      id: 'tree_tree',
      timeoutMs: TIMEOUT_MS,
      runParent,
      finalizeTask: {
        id: 'growing_end',
        timeoutMs: TIMEOUT_MS,
        runParent: (ctx, input: Ripe): Grown => {
          const nothing: Work = { kind: 'plain', value: 0, ms: 10 }
          return {
            output: sum(ctx, input),
            childrenTasks: [{ task: taskOf(tasks, nothing), input: nothing }],
          }
        },
        finalizeTask: { id: 'end_of_end', timeoutMs: TIMEOUT_MS, run: sum },
      },
    }),
  )
}

/** The task for the work, which this process knows. */
export function taskOf(tasks: Tasks, work: Work): DurableTask<Work, unknown> {
  const task = tasks.get(taskIdOf(work))
  assert(task, `nobody defined a task for ${work.kind}`)
  return task
}

/** What an execution gave, as a number: without a finalize task it is the parent's own and its children's together. */
export function numberOf(output: unknown): number {
  if (typeof output === 'number') {
    return output
  }
  const { output: own, childrenTasksOutputs } = output as Ripe
  return childrenTasksOutputs.reduce((all, child) => all + numberOf(child.output), own)
}
