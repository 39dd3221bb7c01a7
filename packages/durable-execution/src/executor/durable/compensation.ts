/**
 * Undoing what an execution did that ended badly. The function of its task is run once more, as in each of its attempts, over what the execution remembers:
 * as far as that goes, each call gives what it gave then. That ends with the function, or where all of its branches wait for what has
 * no answer; then what was registered on the way is undone, the last first, each as a step of this execution.
 */

import { assert } from '../../base/assert.ts'
import {
  DurableExecutionError,
  fromErrorStorageObject,
  toDurableExecutionError,
  toErrorStorageObject,
} from '../../base/errors.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { callId } from '../../machine/records.ts'
import { COMPENSATION_RETRIES } from '../../machine/retry.ts'
import { type CodeOf, createRunContext } from '../../task/context.ts'
import { type RunOutcome } from '../../task/define.ts'
import { resolveStepOptions } from '../../task/durable-options.ts'
import { type Attempt } from '../run-attempt.ts'
import { type RunHistory } from './history.ts'
import { type Registered, Replay } from './replay.ts'
import { runStep } from './step.ts'

/** Undoes what the parent of this execution did; gives the names of what was undone. */
export async function runCompensation(attempt: Attempt, codeOf: CodeOf, input: unknown): Promise<RunOutcome> {
  // With it the calls of this run are made.
  codeOf(attempt)
  const { calls, row, definition } = attempt
  assert(calls !== undefined && row.parentTask !== undefined, `${row.executionId} has nothing to undo`)
  const parentId = row.parentTask.executionId
  const history = calls.historyOf(parentId)
  const registered = new Map<string, Registered>()
  const order: Array<string> = []
  await calls.group('compensate', async () => {
    await calls.insist(async () => await history.look([parentId]))
    const parent = history.known(parentId)
    if (parent === undefined) {
      throw new DurableExecutionError(
        `Execution ${parentId}, which is to be undone, is not in the storage`,
        false,
      )
    }
    const timeoutMs = row.timeoutMs / (parent.retryAttempts + 1)
    // Each attempt may have gone another way: where a step failed, that a later one did, or that the last one never came to.
    for (let retryAttempts = 0; retryAttempts <= parent.retryAttempts; retryAttempts += 1) {
      const { error, ...rest } = parent
      const ended: ExecutionRow = { ...rest, retryAttempts }
      if (row.startedAt !== undefined) {
        // What it gives to the outside is newer than what all runs of the execution gave.
        ended.startedAt = row.startedAt
      }
      if (retryAttempts > 0 && error !== undefined) {
        // How each attempt was told that the one before had ended is not kept, but that it had.
        ended.error = error
      }
      const over = new Replay(calls, history, ended, registered)
      const context = createRunContext({ ...attempt, row: ended }, () => over.code)
      await over.untilOver(async () => await definition.run(context, input), timeoutMs)
      addInPlace(order, over.order)
    }
  })
  const undone: Array<string> = []
  let failure: unknown = missedIn(parentId, history, registered)
  const all = order.flatMap((id) => registered.get(id) ?? [])
  for (const { name, ordinal, fn, options } of all.toReversed()) {
    // By its own ordinal, and not by its place in the list: another run may come to more of them, or to fewer.
    const call = { name, ordinal, id: callId(calls.prefix, name, ordinal) }
    const resolved = resolveStepOptions(`compensation ${name}`, {
      ...options,
      retryOptions: options?.retryOptions ?? COMPENSATION_RETRIES,
    })
    try {
      await calls.group('step', async () => await runStep(calls, call, fn, resolved))
      undone.push(name)
    } catch (error) {
      // What else there is to undo is undone all the same.
      failure ??= error
    }
  }
  if (failure !== undefined) {
    throw givenUp(failure)
  }
  return { kind: 'plain', output: undone }
}

/** What was registered, and not met on any way: it may be undone by somebody who is told. */
function missedIn(
  parentId: string,
  history: RunHistory,
  registered: ReadonlyMap<string, Registered>,
): DurableExecutionError | undefined {
  const count = history.isWhole ? history.countCompensations() : 0
  return registered.size >= count
    ? undefined
    : new DurableExecutionError(
        `Execution ${parentId} registered ${count} compensations, and its function came to ${registered.size} of them when it was run again. ` +
          'Undo the others by hand. The function must go the same way over what is remembered',
        false,
      )
}

/** What could not be undone was tried as often as it may be: another attempt is not to begin all that again. */
function givenUp(failure: unknown): DurableExecutionError {
  const kept = toErrorStorageObject(toDurableExecutionError(failure))
  const error = fromErrorStorageObject({ ...kept, isRetryable: false })
  error.cause = failure
  return error
}

/** Adds the ids of what an attempt registered: a new one comes last, but before what comes after it in that attempt. */
function addInPlace(all: Array<string>, added: ReadonlyArray<string>): void {
  let place = all.length
  for (const id of added.toReversed()) {
    const at = all.indexOf(id)
    if (at >= 0) {
      place = at
    } else {
      all.splice(place, 0, id)
    }
  }
}
