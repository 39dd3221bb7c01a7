/**
 * Undoing what an execution did that ended badly. The function of its task is run once more, as in each of its attempts, over what the execution remembers:
 * as far as that goes, each call gives what it gave then. The first call that has no answer ends that, and so does the end of
 * the function; then what was registered on the way is undone, the last first, each as a step of this execution.
 */

import { assert } from '../../base/assert.ts'
import { DurableExecutionError } from '../../base/errors.ts'
import { type CodeOf, createRunContext } from '../../task/context.ts'
import { type RunOutcome } from '../../task/define.ts'
import { type Attempt } from '../run-attempt.ts'
import { type Registered, Replay } from './replay.ts'

const UNDO_RETRIES = { maxAttempts: 10, baseDelayMs: 1_000, delayMultiplier: 2, maxDelayMs: 60_000 }

/** Undoes what the parent of this execution did; gives the names of what was undone. */
export async function runCompensation(attempt: Attempt, codeOf: CodeOf, input: unknown): Promise<RunOutcome> {
  const code = codeOf(attempt)
  const { calls, row, definition } = attempt
  assert(calls !== undefined && row.parentTask !== undefined, `${row.executionId} has nothing to undo`)
  const parentId = row.parentTask.executionId
  const history = calls.historyOf(parentId)
  const registered: Array<Registered> = []
  await calls.group('compensate', async () => {
    await calls.insist(async () => await history.look([parentId]))
    const parent = history.known(parentId)
    if (parent === undefined) {
      throw new DurableExecutionError(
        `Execution ${parentId}, which is to be undone, is not in the storage`,
        false,
      )
    }
    // Each attempt may have gone another way: where a step failed, that a later one did, or that the last one never came to.
    for (let retryAttempts = 0; retryAttempts <= parent.retryAttempts; retryAttempts += 1) {
      const ended = { ...parent, retryAttempts }
      const over = new Replay(calls, history, ended)
      const context = createRunContext({ ...attempt, row: ended }, () => over.code)
      await over.untilOver(async () => await definition.run(context, input))
      addInPlace(registered, over.registered)
    }
  })
  const undone: Array<string> = []
  let failure: unknown
  for (const { name, fn, options } of registered.toReversed()) {
    try {
      await code.step(name, fn, { retryOptions: UNDO_RETRIES, ...options })
      undone.push(name)
    } catch (error) {
      // What else there is to undo is undone all the same.
      failure ??= error
    }
  }
  if (failure !== undefined) {
    throw failure as Error
  }
  return { kind: 'plain', output: undone }
}

/** Adds what an attempt registered: what is new comes last, but before what comes after it in that attempt. */
function addInPlace(all: Array<Registered>, added: ReadonlyArray<Registered>): void {
  let place = all.length
  for (const one of added.toReversed()) {
    const at = all.findIndex(({ id }) => id === one.id)
    if (at >= 0) {
      // It knows what the last attempt knew.
      all[at] = one
      place = at
    } else {
      all.splice(place, 0, one)
    }
  }
}
