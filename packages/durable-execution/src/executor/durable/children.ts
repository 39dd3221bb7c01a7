/** Children that code awaits: executions of their own, under ids that can be computed. */

import { type DurableExecutionError, fromErrorStorageObject } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { tooDeep } from '../../machine/parent.ts'
import { type NewChild } from '../../machine/event.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { parentErrorOf } from '../../machine/parent-error.ts'
import { callId } from '../../machine/records.ts'
import { type DurableChildTask } from '../../task/define.ts'
import { type Engine } from '../engine.ts'
import { prepareChild } from '../prepare-children.ts'
import { type Attempt } from '../run-attempt.ts'
import { type Call, type DurableCalls } from './calls.ts'
import { checkChild } from './names.ts'

/** Children of one name, with ordinals that follow each other. */
export type Batch = { name: string; from: number; children: ReadonlyArray<DurableChildTask> }

/** Runs the children, and gives their outputs in order; rejects with the error of the first one that is known to have failed. */
export async function runChildren(calls: DurableCalls, batch: Batch): Promise<Array<unknown>> {
  const { name, from, children } = batch
  const { engine, attempt, history } = calls
  const ids = children.map((_, index) => callId(calls.prefix, name, from + index))
  const rows = await calls.insist(async () => await history.get(ids))
  const asked = children.map((child, index) => ({ name, ordinal: from + index, id: ids[index] ?? '', child }))
  const added = await prepareMissing(engine, attempt, asked, rows)
  calls.writer.add({ children: added })
  const ended = (): Array<ExecutionRow> =>
    ids.flatMap((id) => {
      const row = history.known(id)
      return row?.isClosed === true ? [row] : []
    })
  const isDecided = (): boolean =>
    ended().length === ids.length || ended().some((row) => row.status !== 'completed')
  let onLook = (): void => {}
  if (!isDecided()) {
    await calls.outside<void>(
      {
        suspension: () => ({
          kind: 'children',
          name,
          from,
          to: from + ids.length - 1,
          left: ids.length - ended().length,
        }),
        ids: () => ids.filter((id) => history.known(id)?.isClosed !== true),
        onLook: () => onLook(),
      },
      ({ resolve }) => {
        onLook = (): void => {
          if (isDecided()) {
            resolve()
          }
        }
      },
    )
  }
  const failed = ended().find((row) => row.status !== 'completed')
  if (failed !== undefined) {
    throw errorOfChild(failed)
  }
  return ids.map((id) => engine.serializer.deserialize(history.known(id)?.output ?? ''))
}

/** Prepares the children of whom there is no row yet; rejects if one is refused, or is remembered as something else. */
export async function prepareMissing(
  engine: Engine,
  { row: parent, definition }: Pick<Attempt, 'row' | 'definition'>,
  asked: ReadonlyArray<Call & { child: DurableChildTask }>,
  rows: ReadonlyArray<ExecutionRow | undefined>,
): Promise<Array<NewChild>> {
  if (asked.length > 0 && (parent.depth ?? 0) >= LIMITS.depth) {
    throw fromErrorStorageObject(tooDeep())
  }
  const missing: Array<NewChild> = []
  for (const [index, call] of asked.entries()) {
    const row = rows[index]
    if (row !== undefined) {
      checkChild(row, call.child.task.id, call, parent.executionId)
    } else {
      missing.push({ ...(await prepareChild(definition, call.child, engine)), executionId: call.id })
    }
  }
  return missing
}

/** What a child that ended badly rejects with. */
export function errorOfChild(row: ExecutionRow): DurableExecutionError {
  const { taskId, executionId } = row
  // What its own retries did not mend, those of the parent do not mend either: it is remembered.
  const error = fromErrorStorageObject({ ...parentErrorOf(row), isRetryable: false })
  error.execution = { taskId, executionId }
  return error
}
