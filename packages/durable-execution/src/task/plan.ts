/** How a parent's outputs are put together, from its definition and the serializer. */

import {
  DurableExecutionError,
  type DurableExecutionErrorStorageObject,
  toDurableExecutionError,
  toErrorStorageObject,
} from '../base/errors.ts'
import { type Serializer } from '../base/serializer.ts'
import { COMPLETED, type Composed, type FanIn, type ParentPlan } from '../machine/parent.ts'
import {
  type DurableChildTaskExecutionEnd,
  type DurableChildTaskExecutionOutput,
  type TaskDefinition,
} from './define.ts'
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

/** What users see of a child: its output, or how it ended. */
type Outcome = DurableChildTaskExecutionOutput | DurableChildTaskExecutionEnd

/** Makes it; undefined where the storage has lost it. */
type ChildOf = (
  child: FanIn['children'][number],
  index: number,
  serializer: Serializer,
) => Outcome | undefined

/** What the rules must know of a parent's task. */
function planOf(definition: TaskDefinition, serializer: Serializer): ParentPlan {
  if (definition.isSequenceStep) {
    return sequencePlan(definition)
  }
  const { finalize, toleratedFailures } = definition
  const childOf: ChildOf = toleratedFailures === undefined ? outputOf : endOf
  const plan: ParentPlan = {
    composeOutput: (facts) =>
      compose(facts, serializer, childOf, (output, childrenTasksOutputs) => ({
        output,
        childrenTasksOutputs,
      })),
  }
  if (toleratedFailures !== undefined) {
    plan.toleratedFailures = toleratedFailures
  }
  if (finalize !== undefined) {
    plan.finalize = {
      template: { taskId: finalize.id, ...finalize.options },
      composeInput: (facts: FanIn) =>
        compose(facts, serializer, childOf, (output, childrenTasksOutputs) => ({
          input: serializer.deserialize(facts.runInput),
          output,
          childrenTasksOutputs,
        })),
    }
  }
  return plan
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
  childOf: ChildOf,
  shape: (output: unknown, childrenTasksOutputs: Array<Outcome>) => unknown,
): Composed {
  const children: Array<Outcome> = []
  for (const [index, child] of facts.children.entries()) {
    try {
      const one = childOf(child, index, serializer)
      if (one === undefined) {
        return { error: noOutput(facts, index), childIndex: index }
      }
      children.push(one)
    } catch (error) {
      return { error: finalError(error), childIndex: index }
    }
  }
  try {
    return { text: serializer.serialize(shape(serializer.deserialize(facts.runOutput), children)) }
  } catch (error) {
    return { error: finalError(error) }
  }
}

/** The output of a child; undefined if it is missing. */
function outputOf(
  { taskId, executionId, output }: FanIn['children'][number],
  index: number,
  serializer: Serializer,
): DurableChildTaskExecutionOutput | undefined {
  return output === undefined
    ? undefined
    : { index, taskId, executionId, output: serializer.deserialize(output) }
}

/** How a child ended; undefined if that is missing. */
function endOf(
  child: FanIn['children'][number],
  index: number,
  serializer: Serializer,
): DurableChildTaskExecutionEnd | undefined {
  const { taskId, executionId, failure } = child
  if (failure !== undefined) {
    return { index, taskId, executionId, ...failure }
  }
  const completed = outputOf(child, index, serializer)
  return completed === undefined ? undefined : { ...completed, status: COMPLETED }
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
