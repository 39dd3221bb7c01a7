/** What calls are given: checked the same way when the function runs and when it is run again to find out how to undo. */

import { DurableExecutionError } from '../../base/errors.ts'
import { checkPayload } from '../../base/payload.ts'
import { type DurableChildTask } from '../../task/define.ts'
import { type ResolvedStepOptions, resolveStepOptions } from '../../task/durable-options.ts'
import { type DurableCalls } from './calls.ts'
import { checkName } from './names.ts'

const TITLES = { step: 'Step', transaction: 'Transaction', compensation: 'Compensation' }

/** Checks the function, and gives the options, of a step or of what is like one. */
export function checkStep(
  kind: keyof typeof TITLES,
  name: string,
  fn: unknown,
  options: unknown,
): ResolvedStepOptions {
  if (typeof fn !== 'function') {
    const about = `${TITLES[kind]} ${name}`
    throw new DurableExecutionError(`${about} needs a function`, false)
  }
  return resolveStepOptions(`${kind} ${name}`, options)
}

/** The text of a state. */
export function checkState(
  { engine, attempt }: Pick<DurableCalls, 'engine' | 'attempt'>,
  state: unknown,
): string {
  const text = engine.serializer.serialize(state)
  checkPayload(text, 'The state of task ', attempt.row.taskId, engine.options.maxPayloadBytes)
  return text
}

/** The children of a list, and the name that each is remembered by. */
export function checkChildren(
  what: string,
  given: unknown,
): Array<{ name: string; child: DurableChildTask }> {
  if (!Array.isArray(given)) {
    throw new DurableExecutionError(
      'ctx.runTasks needs an array of children: { task, input, options? }',
      false,
    )
  }
  return (given as Array<DurableChildTask>).map((child) => ({ name: childName(what, child), child }))
}

function childName(what: string, child: DurableChildTask | null | undefined): string {
  const taskId: unknown = (child?.task as { id?: unknown } | null | undefined)?.id
  if (typeof taskId !== 'string') {
    throw new DurableExecutionError(
      `ctx.${what} got a child without a task; a child is { task, input, options? }`,
      false,
    )
  }
  const options = child?.options as { name?: unknown } | null | undefined
  return checkName(what, options?.name ?? taskId)
}
