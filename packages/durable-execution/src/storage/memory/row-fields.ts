/** The fields of a row and what kind of value each holds, so that saved rows can be checked. */

import { type DurableTaskExecutionStorageObject } from '../../machine/execution.ts'

/** What a field holds. */
export type FieldKind = 'text' | 'number' | 'claim' | 'moment' | 'status' | 'object' | 'list'

type Field = { kind: FieldKind; isRequired: boolean }

type FieldName = keyof DurableTaskExecutionStorageObject

const required = (kind: FieldKind): Field => ({ kind, isRequired: true })
const optional = (kind: FieldKind): Field => ({ kind, isRequired: false })

/** Every field of a row; a field that is new in the type does not compile until it is named here. */
export const ROW_FIELDS: Readonly<Record<FieldName, Field>> = {
  rootTask: optional('object'),
  parentTask: optional('object'),
  taskId: required('text'),
  executionId: required('text'),
  retryOptions: required('object'),
  sleepMsBeforeRun: required('number'),
  timeoutMs: required('number'),
  runInput: required('text'),
  runOutput: optional('text'),
  output: optional('text'),
  childrenTasksCompletedCount: required('number'),
  childrenTasks: optional('list'),
  childrenTasksErrors: optional('list'),
  finalizeTask: optional('object'),
  finalizeTaskError: optional('object'),
  error: optional('object'),
  status: required('status'),
  isClosed: required('claim'),
  needsPromiseCancellation: required('claim'),
  retryAttempts: required('number'),
  startAt: required('moment'),
  startedAt: optional('moment'),
  finishedAt: optional('moment'),
  expiresAt: optional('moment'),
  createdAt: required('moment'),
  updatedAt: required('moment'),
  leaseId: optional('text'),
  executorId: optional('text'),
  losses: optional('number'),
  depth: optional('number'),
  childIndex: optional('number'),
  childrenTasksCount: optional('number'),
  childrenTasksFailedCount: optional('number'),
  suspendedFor: optional('list'),
  priority: optional('number'),
  tags: optional('object'),
  deadlineAt: optional('moment'),
  hasCompensations: optional('claim'),
}

/** The names of all fields. */
export const ROW_FIELD_NAMES: ReadonlyArray<FieldName> = Object.keys(ROW_FIELDS) as Array<FieldName>
