/** Names of durable calls, and whether what is remembered under one is what the code asks for. */

import { DurableExecutionError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { isRecord, type RecordKind } from '../../machine/records.ts'
import { shown } from '../../task/options.ts'
import { type Call } from './calls.ts'

/** The name, if it is one: 1 to 255 characters. */
export function checkName(what: string, name: unknown): string {
  return checkNameOf(`ctx.${what}`, name)
}

/** The same for a name that something else is given. */
export function checkNameOf(about: string, name: unknown): string {
  if (
    typeof name !== 'string' ||
    name.length === 0 ||
    name.length > LIMITS.nameLength ||
    !name.isWellFormed()
  ) {
    const got = typeof name === 'string' ? gotText(name) : shown(name)
    throw new DurableExecutionError(
      `Invalid name for ${about}: must be a text of 1 to ${LIMITS.nameLength} characters (limit: nameLength), got ${got}`,
      false,
    )
  }
  return name
}

function gotText(name: string): string {
  return name.isWellFormed() ? `${name.length} characters` : 'half of a surrogate pair'
}

const WORDS: Record<RecordKind, string> = {
  '#step': 'a step',
  '#try': 'a step',
  '#sleep': 'a sleep',
  '#wait': 'a wait for a signal',
  '#timeout': 'a wait for a signal',
  '#signal': 'a signal',
  '#key': 'a signal',
  '#compensate': 'a compensation',
  '#state': 'the state',
}

/** Refuses what is remembered under the name of the call as something else. */
export function checkKind(
  row: ExecutionRow | undefined,
  kind: RecordKind,
  call: Call,
  executionId: string,
): void {
  if (row !== undefined && !(isRecord(row) && row.runInput === kind)) {
    throw changedKind(row, WORDS[kind], call, executionId)
  }
}

/** Refuses what is remembered under the name of the call and is no execution of that task. */
export function checkChild(row: ExecutionRow, taskId: string, call: Call, executionId: string): void {
  if (isRecord(row) || row.taskId !== taskId) {
    throw changedKind(row, `a child of task ${taskId}`, call, executionId)
  }
}

function changedKind(
  row: ExecutionRow,
  now: string,
  { name, ordinal }: Call,
  executionId: string,
): DurableExecutionError {
  const before = isRecord(row)
    ? (WORDS[row.runInput as RecordKind] ?? 'something else')
    : `a child of task ${row.taskId}`
  const which = ordinal === 1 ? '' : ` (its call ${ordinal})`
  return new DurableExecutionError(
    `Execution ${executionId} remembers ${JSON.stringify(name)}${which} as ${before}, and the code asks for ${now} of that name. ` +
      'Give the new call another name, so that executions that began before the change can go on.',
    false,
  )
}
