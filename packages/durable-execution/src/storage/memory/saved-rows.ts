/** Rows as one text and back: what `save` hands out and `load` reads. */

import { type Millis } from '../../base/clock.ts'
import { DurableExecutionError, messageOf } from '../../base/errors.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { ALL_STATUSES } from '../../machine/status.ts'
import { alreadyExistsMessage } from '../contract.ts'
import { type KeptRow } from './kept-row.ts'
import { type FieldKind, ROW_FIELD_NAMES, ROW_FIELDS } from './row-fields.ts'

// Raised when a text written before can no longer be read as it stands.
const VERSION = 1

type JsonObject = { [name: string]: unknown }

/** The rows as text: JSON, moments as milliseconds, in the given order. */
export function writeSavedRows(rows: ReadonlyArray<KeptRow>): string {
  // Where a row stands is no part of it.
  const executions = rows.map(({ fixed, rare, ...own }) => ({
    ...own,
    seq: undefined,
    place: undefined,
    ...fixed,
    ...rare,
  }))
  return JSON.stringify({ version: VERSION, executions })
}

/**
 * The rows that the text holds, in their order; none if it is empty.
 *
 * @throws {DurableExecutionError} not retryable, if the text is not one that `writeSavedRows` wrote.
 */
export function readSavedRows(text: string): Array<ExecutionRow> {
  if (text === '') {
    return []
  }
  const saved = parse(text)
  if (!isJsonObject(saved) || !Array.isArray(saved['executions'])) {
    throw damaged('it is not a list of task executions')
  }
  if (saved['version'] !== VERSION) {
    throw damaged(`its version is ${JSON.stringify(saved['version'])}, and only ${VERSION} can be read`)
  }
  const rows = saved['executions'].map(readRow)
  refuseRepeatedIds(rows)
  return rows
}

function parse(text: string): unknown {
  if (typeof text !== 'string') {
    throw damaged('it is not a text')
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw damaged(`it is not JSON (${messageOf(error)})`, error)
  }
}

function readRow(saved: unknown, index: number): ExecutionRow {
  if (!isJsonObject(saved)) {
    throw damaged(`execution ${index} is not an object`)
  }
  const unknownName = Object.keys(saved).find((name) => !Object.hasOwn(ROW_FIELDS, name))
  if (unknownName !== undefined) {
    throw damaged(`execution ${index} has an unknown field ${unknownName}`)
  }
  const row: JsonObject = {}
  for (const name of ROW_FIELD_NAMES) {
    const { kind, isRequired } = ROW_FIELDS[name]
    const value = saved[name]
    const isAbsent = value === undefined && !isRequired
    if (!isAbsent && !isOfKind(value, kind)) {
      throw damaged(
        `${name} of execution ${index} is ${value === undefined ? 'missing' : 'not as it should be'}`,
      )
    }
    row[name] = kind === 'moment' && !isAbsent ? new Date(value as Millis) : value
  }
  return row as ExecutionRow
}

const isOfKind = (value: unknown, kind: FieldKind): boolean => {
  switch (kind) {
    case 'text':
      return typeof value === 'string'
    case 'number':
      return typeof value === 'number'
    case 'claim':
      return typeof value === 'boolean'
    case 'moment':
      return typeof value === 'number' && !Number.isNaN(new Date(value).getTime())
    case 'status':
      return ALL_STATUSES.some((status) => status === value)
    case 'object':
      return isJsonObject(value)
    case 'list':
      return Array.isArray(value) && value.every(isJsonObject)
  }
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refuseRepeatedIds(rows: ReadonlyArray<ExecutionRow>): void {
  const seen = new Set<string>()
  for (const { executionId } of rows) {
    if (seen.has(executionId)) {
      throw damaged(alreadyExistsMessage(executionId))
    }
    seen.add(executionId)
  }
}

function damaged(reason: string, cause?: unknown): DurableExecutionError {
  return new DurableExecutionError(`The saved task executions cannot be loaded: ${reason}`, false, { cause })
}
