/** Enqueues: checks the call, makes the rows, writes them, and gives the handles. */

import { prepareExecution, prepareExecutions, type EnqueueDoors } from '../client/enqueue.ts'
import { createHandle, type DurableTaskHandle } from '../client/handle.ts'
import { type DurableTaskEnqueueOptions } from '../task/options.ts'
import { type Runtime } from './runtime.ts'

type Options = DurableTaskEnqueueOptions | null | undefined

export class Enqueuer {
  readonly #runtime: Runtime
  readonly #doors: EnqueueDoors

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
    await this.#runtime.knowTime()
    const prepared = prepareExecution(definition, input, options, this.#doors)
    const row = prepared instanceof Promise ? await prepared : prepared
    const transaction = options?.transaction ?? undefined
    await (transaction === undefined ? this.#runtime.insert(row) : this.#runtime.insertIn(transaction, [row]))
    return createHandle<TOutput>(taskId, row.executionId, this.#runtime.handleDoors)
  }

  async enqueueAll<TOutput>(
    taskId: string,
    inputs: ReadonlyArray<unknown>,
    options: Options,
  ): Promise<Array<DurableTaskHandle<TOutput>>> {
    const definition = this.#runtime.engine.registry.getOrThrow(taskId)
    await this.#runtime.knowTime()
    const rows = await prepareExecutions(definition, inputs, options, this.#doors)
    const transaction = options?.transaction ?? undefined
    await (transaction === undefined
      ? this.#runtime.insertTogether(rows)
      : this.#runtime.insertIn(transaction, rows))
    return rows.map(({ executionId }) =>
      createHandle<TOutput>(taskId, executionId, this.#runtime.handleDoors),
    )
  }
}
