/** Those who ask for work in a simulation, wait for it and cancel it; and what they came to know. */

import { type DurableTaskHandle } from '../../client/handle.ts'
import { type DurableTaskFinishedExecution } from '../../client/view.ts'
import { type DurableTaskEnqueueOptions } from '../../task/options.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { isCompensation, isRecord } from '../../machine/records.ts'
import { isFinishedStatus } from '../../machine/status.ts'
import { type SimWish } from './plan.ts'
import { EPOCH_MS } from './sim-process.ts'
import { type Work } from './work.ts'
import { type Life, type Stage } from './worker.ts'

type Handle = DurableTaskHandle<unknown>
/** A wait; without an end while it goes on. */
export type Waited = {
  executionId: string
  life: Life
  end: DurableTaskFinishedExecution<unknown> | undefined
}

export class Clients {
  /** Executions whose enqueue was acknowledged. */
  readonly acknowledged: Set<string> = new Set()
  /** Executions that somebody asked to be cancelled. */
  readonly cancelAsked: Set<string> = new Set()
  /** Roots of trees in which somebody cancelled something else. */
  readonly cancelledBelow: Set<string> = new Set()
  /** What cancels answered: by execution, those of all that asked; undefined where the answer did not come. */
  readonly cancelAnswers: Map<string, Array<boolean | undefined>> = new Map()
  /** The executions that enqueues under a key were answered with. */
  readonly keyed: Map<string, Set<string>> = new Map()
  /** The waits that nothing broke. */
  readonly waited: Set<Waited> = new Set()
  readonly #stage: Stage
  readonly #handles = new Map<number, { handle: Handle; life: Life }>()

  constructor(stage: Stage) {
    this.#stage = stage
  }

  enqueue(life: Life, wish: SimWish): void {
    this.#let(life, `enqueue ${wish.id}`, () => {
      enqueueBy(life, wish).then(
        (handles) => this.#enqueued(life, wish, handles),
        // The storage was away, or the worker shutting down: it may be there or not.
        () => {},
      )
    })
  }

  /** Cancels the first of what was enqueued under the number, if that was acknowledged. */
  cancel(id: number): void {
    const known = this.#handles.get(id)
    if (known === undefined) {
      return
    }
    const { handle, life } = known
    this.#let(life, `cancel ${id}`, () => {
      const executionId = handle.getTaskExecutionId()
      this.cancelAsked.add(executionId)
      const answers = this.cancelAnswers.get(executionId) ?? []
      this.cancelAnswers.set(executionId, answers)
      const at = answers.push(undefined) - 1
      handle.cancel().then(
        (isCancelled) => {
          answers[at] = isCancelled
        },
        () => {
          // It may have happened or not.
        },
      )
    })
  }

  /** Cancels one of the executions below the first of what was enqueued under the number. */
  cancelBelow(life: Life, id: number, nth: number, rows: ReadonlyMap<string, ExecutionRow>): void {
    const rootId = this.executionOf(id)
    if (rootId === undefined) {
      return
    }
    const below = [...rows.values()].filter(
      (row) =>
        row.rootTask?.executionId === rootId &&
        !isRecord(row) &&
        !isCompensation(row) &&
        row.executionId !== rootId &&
        !isFinishedStatus(row.status),
    )
    const row = below[nth % below.length]
    if (row === undefined) {
      return
    }
    this.#let(life, `cancel below ${id}`, () => {
      // Whatever comes of the root is explained by it.
      this.cancelledBelow.add(rootId)
      life.executor
        .getTaskHandle<unknown, unknown>({ id: row.taskId }, row.executionId)
        .then(async (handle) => await handle.cancel())
        .catch(() => {})
    })
  }

  /** The execution that was enqueued first under the number, if that was acknowledged. */
  executionOf(id: number): string | undefined {
    return this.#handles.get(id)?.handle.getTaskExecutionId()
  }

  #enqueued(life: Life, { id, waits, key }: SimWish, handles: ReadonlyArray<Handle>): void {
    handles.forEach((handle) => this.acknowledged.add(handle.getTaskExecutionId()))
    const [handle] = handles
    if (handle !== undefined) {
      if (key !== undefined) {
        const executionIds = this.keyed.get(key) ?? new Set<string>()
        this.keyed.set(key, executionIds.add(handle.getTaskExecutionId()))
      }
      this.#handles.set(id, { handle, life })
      if (waits) {
        this.#wait(handle, life)
      }
    }
  }

  #wait(handle: Handle, life: Life): void {
    life.waits += 1
    const waited: Waited = { executionId: handle.getTaskExecutionId(), life, end: undefined }
    this.waited.add(waited)
    handle.waitAndGetTaskFinishedExecution().then(
      (end) => (waited.end = end),
      // The storage was away for longer than a caller is made to wait.
      () => this.waited.delete(waited),
    )
  }

  // A process that stands still does this, too, only when it goes on.
  #let(life: Life, label: string, happen: () => void): void {
    this.#stage.network.scheduler.after(life.process.source, 0, label, happen)
  }
}

async function enqueueBy(
  life: Life,
  { many, sleepMs, key, deadlineMs, startAtMs }: SimWish,
): Promise<ReadonlyArray<Handle>> {
  const [first] = many
  const task = first === undefined ? undefined : life.tasks.taskFor(first)
  if (first === undefined || task === undefined) {
    return []
  }
  const options: DurableTaskEnqueueOptions = {
    ...(startAtMs === undefined
      ? { sleepMsBeforeRun: sleepMs }
      : { startAt: new Date(EPOCH_MS + startAtMs) }),
    idempotencyKey: key,
    deadlineMs,
  }
  // Those that are enqueued together are of one task.
  const alike = many.filter((work) => work.kind === first.kind)
  return many.length === 1
    ? [await life.executor.enqueueTask(task, first, options)]
    : await life.executor.enqueueTasks<Work, unknown>(task, alike, options)
}
