/** What becomes of a parent when children end badly: the option of its task, checked. */

import { DurableExecutionError } from '../base/errors.ts'
import { type TaskDefinition } from './define.ts'
import { shown } from './options.ts'

/** How many children may end badly; nothing under the default policy. */
export function resolveChildrenPolicy(
  taskId: string,
  given: unknown,
): Pick<TaskDefinition, 'toleratedFailures'> {
  if (given === undefined || given === null || given === 'fail_fast') {
    return {}
  }
  if (given === 'settle') {
    return { toleratedFailures: Infinity }
  }
  const tolerated: unknown =
    typeof given === 'object' ? (given as { tolerateFailures?: unknown }).tolerateFailures : undefined
  if (typeof tolerated === 'number' && Number.isSafeInteger(tolerated) && tolerated >= 0) {
    return { toleratedFailures: tolerated }
  }
  const got = typeof given === 'object' ? `tolerateFailures ${shown(tolerated)}` : shown(given)
  throw new DurableExecutionError(
    `Invalid childrenPolicy of task ${taskId}: must be fail_fast, settle or { tolerateFailures: n } ` +
      `with an integer n, 0 or more, got ${got}`,
    false,
  )
}

/** Refuses a policy where there are no children that it could be about. */
export function refuseChildrenPolicy(options: object): void {
  const { id, childrenPolicy } = options as { id?: unknown; childrenPolicy?: unknown }
  if (childrenPolicy !== undefined && childrenPolicy !== null) {
    throw new DurableExecutionError(
      `Option childrenPolicy of task ${shown(id)} is for parent tasks, and one with run has no children. Leave it out.`,
      false,
    )
  }
}
