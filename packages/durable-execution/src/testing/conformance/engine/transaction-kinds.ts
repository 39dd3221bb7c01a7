/** Which kind of engine transaction a trace is, told by what it called: the table of kinds that faults go through. */

import { type ExecutionUpdate } from '../../../machine/execution.ts'
import { type TransactionTrace } from '../../faults.ts'

type Call = TransactionTrace['calls'][number]

/** The kinds, in the order in which they are looked for. */
export const TRANSACTION_KINDS = [
  'insert',
  'fan_out',
  'settle_with_parent',
  'settle',
  'claim',
  'recover',
  'release',
  'cancel',
  'cascade',
  'close',
  'renew',
  'cancel_check',
  'look_for_open',
  'look_for_lapsed',
  'look_for_due',
  'touch',
  'read',
] as const

export type TransactionKind = (typeof TRANSACTION_KINDS)[number]

/** The kind of the transaction; undefined if it called nothing, and `unknown` if it is none of the table. */
export function kindOf({ calls }: TransactionTrace): TransactionKind | 'unknown' | undefined {
  if (calls.length === 0) {
    return undefined
  }
  return TRANSACTION_KINDS.find((kind) => isOfKind(kind, calls)) ?? 'unknown'
}

function isOfKind(kind: TransactionKind, calls: ReadonlyArray<Call>): boolean {
  const updates = calls.flatMap(updatesOf)
  const someUpdate = (claim: (update: ExecutionUpdate) => boolean): boolean => updates.some(claim)
  const someWhere = (claim: (where: Where) => boolean): boolean =>
    calls.some((call) => /^get|^update/.test(call.operation) && claim(call.args[0] ?? {}))
  switch (kind) {
    case 'insert':
      return calls.some(
        ({ operation, args }) =>
          operation === 'insertTaskExecutions' &&
          (args[0] as Array<{ parentTask?: object }>).some((row) => row.parentTask === undefined),
      )
    case 'fan_out':
      return someUpdate(({ status }) => status === 'waiting_for_children_tasks')
    case 'settle_with_parent':
      return someUpdate(({ losses }) => losses === 0) && someUpdate(isNewsOfChild)
    case 'settle':
      return someUpdate(({ losses }) => losses === 0)
    case 'claim':
      return (
        calls.some(({ operation }) => operation === 'claimTaskExecutions') ||
        someUpdate(({ status }) => status === 'running')
      )
    case 'recover':
      return someUpdate(({ error }) => /^Task (expired|lost)/.test(error?.message ?? ''))
    case 'release':
      return someUpdate(({ status, error }) => status === 'ready' && error === undefined)
    case 'cancel':
      return someUpdate(({ status, error }) => status === 'cancelled' && error?.message === 'Task cancelled')
    case 'cascade':
      return someUpdate(
        ({ status, error }) => status === 'cancelled' && error?.message.startsWith('Parent task') === true,
      )
    case 'close':
      return someUpdate(({ isClosed }) => isClosed === true)
    case 'renew':
      return (
        calls.some(({ operation }) => operation === 'renewTaskExecutions') ||
        someUpdate(({ expiresAt, status }) => expiresAt !== undefined && status === undefined)
      )
    case 'cancel_check':
      return someWhere((where) => where.needsPromiseCancellation === true)
    case 'look_for_open':
      return someWhere((where) => where.isClosed === false)
    case 'look_for_lapsed':
      return someWhere((where) => where.expiresAtLessThan !== undefined)
    case 'look_for_due':
      return someWhere((where) => where.type === 'by_start_at_less_than')
    case 'touch':
      return (
        calls.some(({ operation }) => /^lock|^update/.test(operation)) &&
        updates.every((update) => Object.keys(update).join() === 'updatedAt')
      )
    case 'read':
      return calls.every(({ operation }) => operation.startsWith('get'))
  }
}

type Where = {
  type?: string
  needsPromiseCancellation?: boolean
  isClosed?: boolean
  expiresAtLessThan?: Date
}

function updatesOf({ operation, args }: Call): Array<ExecutionUpdate> {
  switch (operation) {
    case 'updateTaskExecutions':
      return [args[1] as ExecutionUpdate]
    case 'updateTaskExecutionsBatch':
      return (args[0] as Array<{ update: ExecutionUpdate }>).map((one) => one.update)
    default:
      return []
  }
}

function isNewsOfChild({ childrenTasksCompletedCount, status, finalizeTaskError }: ExecutionUpdate): boolean {
  return (
    childrenTasksCompletedCount !== undefined ||
    finalizeTaskError !== undefined ||
    status === 'children_tasks_failed' ||
    status === 'waiting_for_finalize_task'
  )
}
