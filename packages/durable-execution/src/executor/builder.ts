/** Defining tasks whose input is checked: what `validateInput` and `inputSchema` return. */

import {
  type DurableChildrenPolicy,
  type DurableParentTaskDefaultOutput,
  type DurableParentTaskOptions,
  type DurableSettlingChildrenPolicy,
  type DurableSettlingParentTaskOptions,
  type DurableTask,
  type DurableTaskOptions,
} from '../task/define.ts'
import { type AnyParentTaskOptions, type TaskRegistry } from '../task/registry.ts'

/**
 * What `validateInput` and `inputSchema` return: `task` and `parentTask` for tasks whose input is checked.
 *
 * @category Task
 */
export type DurableTaskBuilder<TRunInput, TInput> = {
  /** As `executor.task`; the function is given what the check returned. */
  task: <TOutput>(options: DurableTaskOptions<TRunInput, TOutput>) => DurableTask<TInput, TOutput>
  /** As `executor.parentTask`; the function is given what the check returned. */
  parentTask: DurableParentTaskOfBuilder<TRunInput, TInput>
}

type DurableParentTaskOfBuilder<TRunInput, TInput> = {
  <
    TRunOutput,
    TOutput = DurableParentTaskDefaultOutput<TRunOutput>,
    TFinalizeRunOutput = unknown,
    TFinalizePolicy extends DurableChildrenPolicy = 'fail_fast',
  >(
    options: DurableParentTaskOptions<
      TRunInput,
      TRunOutput,
      TOutput,
      TFinalizeRunOutput,
      'fail_fast',
      TFinalizePolicy
    >,
  ): DurableTask<TInput, TOutput>
  <
    TRunOutput,
    TOutput = DurableParentTaskDefaultOutput<TRunOutput, DurableSettlingChildrenPolicy>,
    TFinalizeRunOutput = unknown,
    TFinalizePolicy extends DurableChildrenPolicy = 'fail_fast',
  >(
    options: DurableSettlingParentTaskOptions<
      TRunInput,
      TRunOutput,
      TOutput,
      TFinalizeRunOutput,
      TFinalizePolicy
    >,
  ): DurableTask<TInput, TOutput>
}

/** A builder over the registry; `refuse` throws when nothing may be defined any more. */
export function createBuilder<TRunInput, TInput>(
  registry: TaskRegistry,
  validate: (input: unknown) => TRunInput | Promise<TRunInput>,
  refuse: () => void,
): DurableTaskBuilder<TRunInput, TInput> {
  return {
    task: (options) => {
      refuse()
      return { id: registry.addTask(options, validate).id }
    },
    parentTask: (options: object) => {
      refuse()
      return { id: registry.addParentTask(options as AnyParentTaskOptions, validate).id }
    },
  }
}
