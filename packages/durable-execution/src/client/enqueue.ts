/** From a call of `enqueueTask` to a row: everything is checked before anything is written. */

import { type Serializer } from '../base/serializer.ts'
import { checkPayload } from '../base/payload.ts'
import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../machine/execution.ts'
import { type DurableTaskEnqueueOptions, resolveEnqueueOptions } from '../task/options.ts'
import { type TaskRegistry } from '../task/registry.ts'
import { checkInput } from '../task/schema.ts'

export type EnqueueDoors = {
  registry: TaskRegistry
  serializer: Serializer
  maxPayloadBytes: number
  now: () => number
  newExecutionId: () => string
}

/** The row of a new execution, ready to be inserted. */
export async function prepareExecution(
  taskId: string,
  input: unknown,
  options: DurableTaskEnqueueOptions | null | undefined,
  doors: EnqueueDoors,
): Promise<ExecutionRow> {
  const definition = doors.registry.getOrThrow(taskId)
  const resolved = resolveEnqueueOptions(taskId, definition.options, options)
  const validated =
    definition.validateInput === undefined ? input : await checkInput(taskId, definition.validateInput, input)
  const runInput = doors.serializer.serialize(validated)
  checkPayload(runInput, `The input of task ${taskId}`, doors.maxPayloadBytes)
  return {
    ...createDurableTaskExecutionStorageObject({
      ...resolved,
      now: new Date(doors.now()),
      taskId,
      executionId: doors.newExecutionId(),
      runInput,
    }),
    depth: 1,
  }
}
