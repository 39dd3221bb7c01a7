/** Ids that are counted, not drawn: the same run has the same ids. */

import { type IdSource } from '../../base/ids.ts'

/** One source for all processes of a world, or two of them would make the same id. */
export function createCountedIds(): IdSource {
  let executions = 0
  let others = 0
  return {
    newExecutionId: () => {
      executions += 1
      return `te_${toHex(executions)}`
    },
    newId: () => {
      others += 1
      return toHex(others)
    },
  }
}

function toHex(count: number): string {
  return count.toString(16).padStart(32, '0')
}
