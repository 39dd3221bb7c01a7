/** What the cases on parents and children are made of: gates that hold a run, and trees of tasks. */

import assert from 'node:assert/strict'

import { createCancellablePromise } from '../../../base/cancel.ts'
import { type DurableTaskHandle } from '../../../client/handle.ts'
import { type DurableTaskExecution } from '../../../client/view.ts'
import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableStorage, type DurableStorageTx } from '../../../storage/contract.ts'
import { type ExecutionRow } from '../../../machine/execution.ts'
import { ALL_STATUSES } from '../../../machine/status.ts'
import { checkWorld, type InvariantId, type Violation } from '../../../machine/invariants.ts'
import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type DurableChildTask, type DurableTask } from '../../../task/define.ts'
import { type EngineWorld } from './world.ts'

/** Holds runs until it is opened; a run whose signal fires is let go with an error. */
export type Gate = {
  pass: (ctx: DurableTaskRunContext) => Promise<void>
  open: () => void
  /** The executions that came to the gate, once for each run. */
  arrivedIds: Array<string>
  /** The executions whose signal fired there. */
  toldToStopIds: Array<string>
}

export function createGate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>()
  const arrivedIds: Array<string> = []
  const toldToStopIds: Array<string> = []
  return {
    pass: async (ctx) => {
      arrivedIds.push(ctx.executionId)
      ctx.cancelSignal.onCancelled(() => toldToStopIds.push(ctx.executionId))
      await createCancellablePromise(promise, ctx.cancelSignal)
    },
    open: () => resolve(),
    arrivedIds,
    toldToStopIds,
  }
}

/** A plain task that waits at the gate and answers its input. */
export function defineGated(executor: DurableExecutor, id: string, gate: Gate): DurableTask<string, string> {
  return executor.task({
    id,
    timeoutMs: 3_600_000,
    run: async (ctx, input: string) => {
      await gate.pass(ctx)
      return input
    },
  })
}

/** A plain task that answers its input. */
export function defineEcho(executor: DurableExecutor, id: string): DurableTask<unknown, unknown> {
  return executor.task({ id, timeoutMs: 60_000, run: (_ctx, input: unknown) => input })
}

/** A plain task that fails for good with its input as the message. */
export function defineFailing(executor: DurableExecutor, id: string): DurableTask<string, never> {
  return executor.task({
    id,
    timeoutMs: 60_000,
    run: (_ctx, input: string): never => {
      throw new Error(input)
    },
  })
}

/** A parent without a finalize task whose input is its list of children. */
export function defineParentOf(
  executor: DurableExecutor,
  id: string,
  children: Array<DurableChildTask>,
): DurableTask<unknown, { output: string; childrenTasksOutputs: Array<{ output: unknown }> }> {
  return executor.parentTask({
    id,
    timeoutMs: 60_000,
    runParent: () => ({ output: `${id} has run`, childrenTasks: children }),
  })
}

/** A tree: `level_1` to `level_n`, each with so many children; those of the last level are given. */
export function defineTree(
  executor: DurableExecutor,
  { depth, width, bottom }: { depth: number; width: number; bottom: { id: string } },
): DurableTask<unknown, unknown> {
  let below: DurableTask<unknown, unknown> = { id: bottom.id }
  for (let level = depth - 1; level >= 1; level -= 1) {
    const task = below
    below = defineParentOf(
      executor,
      `level_${level}`,
      Array.from({ length: width }, (_, index) => ({ task, input: `${level}.${index}` })),
    )
  }
  return below
}

/** The output of an execution that must be completed. */
export function outputOf<T>(execution: DurableTaskExecution<T>): T {
  assert.equal(execution.status, 'completed')
  return execution.output
}

/** The children of an execution, in their order. */
export async function childrenOf(world: EngineWorld, executionId: string): Promise<Array<ExecutionRow>> {
  const rows = await world.rows()
  const byId = new Map(rows.map((row) => [row.executionId, row]))
  const { childrenTasks } = await world.row(executionId)
  return (childrenTasks ?? []).map((child) => {
    const row = byId.get(child.executionId)
    assert.ok(row, `the child ${child.executionId} has a row`)
    return row
  })
}

/** Moves the clock until it is so; fails after ten minutes of moved time. */
export async function untilTrue(world: EngineWorld, isSo: () => boolean | Promise<boolean>): Promise<void> {
  await world.clock.settle()
  for (let waitedMs = 0; !(await isSo()); waitedMs += 50) {
    assert.ok(waitedMs < 600_000, 'it came to be within ten minutes')
    await world.clock.advance(50)
  }
}

/** Moves the clock until the execution has the status. */
export async function untilStatus(
  world: EngineWorld,
  handle: DurableTaskHandle<unknown>,
  status: DurableTaskExecution<unknown>['status'],
): Promise<void> {
  await untilTrue(world, async () => (await world.row(handle.getTaskExecutionId())).status === status)
}

/** Moves the clock until nothing of the rows is open: all finished and closed. */
export async function untilAllClosed(world: EngineWorld): Promise<Array<ExecutionRow>> {
  await untilTrue(world, async () => (await world.rows()).every((row) => row.isClosed))
  return await world.rows()
}

/** A storage whose rows are checked against the invariants at the end of each transaction, before it commits. */
export function watchInvariants(storage: DurableStorage): {
  storage: DurableStorage
  /** What was violated of the given promise; fails if nothing was ever checked. */
  violationsOf: (invariant: InvariantId) => Array<Violation>
} {
  const violations: Array<Violation> = []
  let checks = 0
  const withTransaction = async <T>(fn: (tx: DurableStorageTx) => Promise<T>): Promise<T> =>
    await storage.withTransaction(async (tx) => {
      const answer = await fn(tx)
      const rows = await tx.getTaskExecutions({ type: 'by_statuses', statuses: [...ALL_STATUSES] })
      violations.push(...checkWorld(rows))
      checks += rows.length > 0 ? 1 : 0
      return answer
    })
  return {
    storage: { withTransaction },
    violationsOf: (invariant) => {
      assert.ok(checks > 10, 'the rows were checked many times')
      return violations.filter((violation) => violation.invariant === invariant)
    },
  }
}
