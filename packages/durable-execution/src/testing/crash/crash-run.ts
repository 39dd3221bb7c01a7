/** One run of a task from its enqueueing to its end, in which the process dies at one place, or nowhere. */

import { type Millis } from '../../base/clock.ts'
import { createDefaultSerializer, WrappedSerializer } from '../../base/serializer.ts'
import { type DurableExecutorOptions } from '../../executor/options.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { ACTIVE_STATUSES, ALL_STATUSES, FINISHED_STATUSES } from '../../machine/status.ts'
import { type DurableStorage } from '../../storage/contract.ts'
import { type DurableTaskEnqueueOptions } from '../../task/options.ts'
import { toForwardMillis } from '../clock.ts'
import { describeUnfinished } from '../finish-in-time.ts'
import { TestKitError } from '../kit-error.ts'
import { type CrashPlace, type Passed } from './crash-point.ts'
import { type CrashProcess, type CrashTaskDefinition, CrashWorld } from './crash-world.ts'
import { type CrashOutcome, outcomeOf } from './outcome.ts'

/** What is run, again and again. */
export type CrashJob<TInput, TOutput> = {
  define: CrashTaskDefinition<TInput, TOutput>
  input: TInput
  enqueueOptions: DurableTaskEnqueueOptions | undefined
  executor: DurableExecutorOptions
  limit: Millis | string
  patienceMs: number
  /** Effects that came too late to count, in whatever run. */
  late: Array<TestKitError>
  /** Whether nobody will look at `late` any more. */
  isOver: boolean
}

/** One run. */
export type CrashRun<TOutput> = {
  outcome: CrashOutcome<TOutput>
  /** What the process that enqueued the task passed. */
  passed: ReadonlyArray<Passed>
  /** Whether that process died. */
  hasDied: boolean
}

/** Runs the task in a new world. Undefined if the process died before it had enqueued the task. */
export async function runOnce<TInput, TOutput>(
  job: CrashJob<TInput, TOutput>,
  diesAt?: CrashPlace,
): Promise<CrashRun<TOutput> | undefined> {
  const world = new CrashWorld({
    executor: job.executor,
    patienceMs: job.patienceMs,
    onLate: (error) => noteLate(job, error),
  })
  const first = await world.startProcess(job.define, diesAt)
  const processes = [first]
  try {
    // The insert of an executor that is at rest is a claim too: that is how most executions begin.
    await world.time.advance(0)
    const enqueueing = enqueue(job, first)
    const isOver = async (): Promise<boolean> => {
      throwFirst([...job.late, ...enqueueing.errors])
      if (processes.at(-1)?.isDead() === true) {
        processes.push(await world.startProcess(job.define))
      }
      return await isAllDone(world.storage, first.isDead())
    }
    if (!(await world.time.until(isOver, toForwardMillis(job.limit)))) {
      throw new TestKitError(await describeStuck(world.storage, job.limit))
    }
    const rows = await readRows(world.storage)
    const [root] = rows
    const serializer = new WrappedSerializer(job.executor.serializer ?? createDefaultSerializer())
    return root === undefined
      ? undefined
      : {
          outcome: outcomeOf<TOutput>(root, rows, world.ledger.effects, serializer),
          passed: [...first.passed],
          hasDied: first.isDead(),
        }
  } finally {
    world.end()
    for (const process of processes) {
      process.die()
    }
  }
}

function noteLate(job: { late: Array<TestKitError>; isOver: boolean }, error: TestKitError): void {
  if (job.isOver) {
    throw error
  }
  job.late.push(error)
}

// A process that dies hears nothing of its own enqueue, so nobody may wait for that.
function enqueue<TInput, TOutput>(
  { input, enqueueOptions }: CrashJob<TInput, TOutput>,
  { executor, task }: CrashProcess<TInput, TOutput>,
): { errors: Array<unknown> } {
  const errors: Array<unknown> = []
  executor.enqueueTask(task, input, enqueueOptions).catch((error: unknown) => {
    errors.push(error)
  })
  return { errors }
}

export function throwFirst(errors: ReadonlyArray<unknown>): void {
  if (errors.length > 0) {
    throw errors[0] as Error
  }
}

/** Whether every execution is finished, and what that leads to is done. */
async function isAllDone(storage: DurableStorage, mayBeEmpty: boolean): Promise<boolean> {
  const isLeft = await storage.withTransaction(async (tx) => {
    const active = await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: [...ACTIVE_STATUSES] }, 1)
    const open = await tx.getTaskExecutionIds(
      { type: 'by_statuses', statuses: [...FINISHED_STATUSES], isClosed: false },
      1,
    )
    return active.length + open.length > 0
  })
  return !isLeft && (mayBeEmpty || (await readRows(storage, 1)).length > 0)
}

/** All executions. The one that was enqueued is the first: it was there before all that came of it. */
async function readRows(storage: DurableStorage, limit?: number): Promise<Array<ExecutionRow>> {
  return await storage.withTransaction(
    async (tx) => await tx.getTaskExecutions({ type: 'by_statuses', statuses: [...ALL_STATUSES] }, limit),
  )
}

async function describeStuck(storage: DurableStorage, limit: Millis | string): Promise<string> {
  const [root] = await readRows(storage, 1)
  return root === undefined ? 'The task was not enqueued' : describeUnfinished(root, limit)
}
