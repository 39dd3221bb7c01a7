/** What calls are given: checked the same way when the function runs and when it is run again to find out how to undo. */

import { DurableExecutionError } from '../../base/errors.ts'
import { type DurableChildTask } from '../../task/define.ts'
import { checkName } from './names.ts'

export function checkFunction(about: string, fn: unknown): void {
  if (typeof fn !== 'function') {
    throw new DurableExecutionError(`${about} needs a function`, false)
  }
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
