/** How a parent's outputs are put together, from its definition and the serializer. */

import {
  DurableExecutionError,
  type DurableExecutionErrorStorageObject,
  toDurableExecutionError,
  toErrorStorageObject,
} from '../base/errors.ts'
import { type Serializer } from '../base/serializer.ts'
import { type Composed, type FanIn, type ParentPlan } from '../machine/parent.ts'
import { type DurableChildTaskExecutionOutput, type TaskDefinition } from './define.ts'
import { type TaskRegistry } from './registry.ts'

/** Plans of parents, made once for each task. */
export function createPlans(
  registry: TaskRegistry,
  serializer: Serializer,
): (taskId: string) => ParentPlan | undefined {
  const plans = new Map<string, ParentPlan>()
  return (taskId) => {
    const known = plans.get(taskId)
    if (known !== undefined) {
      return known
    }
    const definition = registry.get(taskId)
    if (definition === undefined) {
      return undefined
    }
    const plan = planOf(definition, serializer)
    plans.set(taskId, plan)
    return plan
  }
}

/** What the rules must know of a parent's task. */
function planOf(definition: TaskDefinition, serializer: Serializer): ParentPlan {
  if (definition.isSequenceStep) {
    return sequencePlan(definition)
  }
  const { finalize } = definition
  return {
    composeOutput: (facts) =>
      compose(facts, serializer, (output, childrenTasksOutputs) => ({ output, childrenTasksOutputs })),
    ...(finalize === undefined
      ? {}
      : {
          finalize: {
            template: { taskId: finalize.id, ...finalize.options },
            composeInput: (facts: FanIn) =>
              compose(facts, serializer, (output, childrenTasksOutputs) => ({
                input: serializer.deserialize(facts.runInput),
                output,
                childrenTasksOutputs,
              })),
          },
        }),
  }
}

/** A step of a sequence has one child, and its output goes on as the text it is. */
function sequencePlan({ finalize }: TaskDefinition): ParentPlan {
  const handOn = (facts: FanIn): Composed => {
    const text = facts.children[0]?.output
    return text === undefined ? { error: noOutput(facts, 0), childIndex: 0 } : { text }
  }
  return {
    passesErrorsOn: true,
    composeOutput: handOn,
    ...(finalize === undefined
      ? {}
      : { finalize: { template: { taskId: finalize.id, ...finalize.options }, composeInput: handOn } }),
  }
}

function compose(
  facts: FanIn,
  serializer: Serializer,
  shape: (output: unknown, childrenTasksOutputs: Array<DurableChildTaskExecutionOutput>) => unknown,
): Composed {
  const outputs: Array<DurableChildTaskExecutionOutput> = []
  for (const [index, { taskId, executionId, output }] of facts.children.entries()) {
    if (output === undefined) {
      return { error: noOutput(facts, index), childIndex: index }
    }
    try {
      outputs.push({ index, taskId, executionId, output: serializer.deserialize(output) })
    } catch (error) {
      return { error: finalError(error), childIndex: index }
    }
  }
  try {
    return { text: serializer.serialize(shape(serializer.deserialize(facts.runOutput), outputs)) }
  } catch (error) {
    return { error: finalError(error) }
  }
}

function noOutput(facts: FanIn, index: number): DurableExecutionErrorStorageObject {
  const executionId = facts.children[index]?.executionId ?? ''
  return finalError(
    new DurableExecutionError(`The output of child ${executionId} is not in the storage`, false),
  )
}

function finalError(error: unknown): DurableExecutionErrorStorageObject {
  return { ...toErrorStorageObject(toDurableExecutionError(error)), errorType: 'generic', isRetryable: false }
}
