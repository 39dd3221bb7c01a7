/** Enqueues: checks the call, makes the rows, writes them, and gives the handles. */

import { ChurningMap } from '../base/churning-map.ts'
import { prepareExecution, prepareExecutions, type EnqueueDoors } from '../client/enqueue.ts'
import { createHandle, type DurableTaskHandle } from '../client/handle.ts'
import { Keys } from '../client/keys.ts'
import { type DurableTaskRunOptions, outputOf, resolveRunSignal } from '../client/run-task.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { type FoundRow } from '../store/keyed.ts'
import { type DurableTaskEnqueueOptions } from '../task/options.ts'
import { type Runtime } from './runtime.ts'

type Options = DurableTaskEnqueueOptions | null | undefined

export class Enqueuer {
  readonly #runtime: Runtime
  readonly #doors: EnqueueDoors
  /** What is being enqueued under a key just now, and what came of it: one insert serves all who ask for the same. */
  readonly #underway = new ChurningMap<string, Promise<FoundRow>>()

  constructor(runtime: Runtime) {
    this.#runtime = runtime
    const { serializer, store, options } = runtime.engine
    this.#doors = {
      serializer,
      maxPayloadBytes: options.maxPayloadBytes,
      now: store.now,
      newExecutionId: store.newExecutionId,
    }
  }

  async enqueue<TOutput>(
    taskId: string,
    input: unknown,
    options: Options,
  ): Promise<DurableTaskHandle<TOutput>> {
    const definition = this.#runtime.engine.registry.getOrThrow(taskId)
    const knowing = this.#runtime.knowTime()
    if (knowing !== undefined) {
      await knowing
    }
    const prepared = prepareExecution(definition, input, options, this.#doors)
    const { row, key } = prepared instanceof Promise ? await prepared : prepared
    const transaction = options?.transaction ?? undefined
    if (key === undefined) {
      await (transaction === undefined
        ? this.#runtime.insert(row)
        : this.#runtime.insertIn(transaction, [row]))
    } else {
      const keys = new Keys(taskId)
      keys.add(row, key)
      await (transaction === undefined
        ? this.#insertOnce(row, keys)
        : this.#runtime.insertIn(transaction, [row], keys))
    }
    return createHandle<TOutput>(taskId, row.executionId, this.#runtime.handleDoors)
  }

  async enqueueAll<TOutput>(
    taskId: string,
    inputs: ReadonlyArray<unknown>,
    options: Options,
  ): Promise<Array<DurableTaskHandle<TOutput>>> {
    const definition = this.#runtime.engine.registry.getOrThrow(taskId)
    await this.#runtime.knowTime()
    const { rows: all, keys } = await prepareExecutions(definition, inputs, options, this.#doors)
    const rows = keys === undefined ? all : [...new Set(all)]
    const transaction = options?.transaction ?? undefined
    await (transaction === undefined
      ? this.#runtime.insertTogether(rows, keys)
      : this.#runtime.insertIn(transaction, rows, keys))
    return all.map(({ executionId }) => createHandle<TOutput>(taskId, executionId, this.#runtime.handleDoors))
  }

  /** Enqueues, waits for the end, and gives the output. */
  async run<TOutput>(
    taskId: string,
    input: unknown,
    options: DurableTaskRunOptions | null | undefined,
  ): Promise<TOutput> {
    const signal = resolveRunSignal(taskId, options)
    const handle = await this.enqueue<TOutput>(taskId, input, options)
    const execution = { taskId, executionId: handle.getTaskExecutionId() }
    return await outputOf<TOutput>(execution, signal, this.#runtime.handleDoors)
  }

  /** Inserts the row unless there is one, and refuses that one if it was given another input. */
  async #insertOnce(row: ExecutionRow, keys: Keys): Promise<void> {
    const { executionId } = row
    let inserted = this.#underway.get(executionId)
    if (inserted === undefined) {
      inserted = this.#findOrInsert(row)
      this.#underway.set(executionId, inserted)
      const forget = (): void => void this.#underway.delete(executionId)
      inserted.then(forget, forget)
    }
    keys.found(await inserted)
  }

  async #findOrInsert(row: ExecutionRow): Promise<FoundRow> {
    const there = await this.#runtime.handleDoors.reader.read(row.executionId)
    if (there !== undefined) {
      return there
    }
    let stored: FoundRow = row
    await this.#runtime.insert(row, {
      has: (executionId) => executionId === row.executionId,
      found: (found) => {
        stored = found
      },
    })
    return stored
  }
}
