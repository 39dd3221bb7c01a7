/** One short text for each world; worlds that differ only in names of executors have the same. */

import { isDeadlineOver } from '../../machine/deadline.ts'
import { type ExecutionEvent } from '../../machine/event.ts'
import { type DurableSuspensionStorageObject, type ExecutionRow } from '../../machine/execution.ts'
import { type ExecutionHistory } from '../../machine/history.ts'
import { type Scenario } from './scenario.ts'
import { type ExecutorState, hasLapsed, isFarOff, NOW, type World } from './world.ts'

/** Makes keys. Each exploration has one of its own, as it gives numbers to the rows it meets. */
export class CanonicalKeys {
  readonly #numbers = new Map<string, number>()
  readonly #ofObject = new WeakMap<object, number>()
  readonly #isSymmetric: boolean

  constructor(scenario: Scenario) {
    // Executors that know the same tasks can change places.
    this.#isSymmetric = new Set(scenario.executors.map((taskIds) => taskIds.join(' '))).size === 1
  }

  keyOf(world: World): string {
    const numbers: Array<number> = []
    for (const row of world.rows.values()) {
      numbers.push(this.#number(row, textOfRow))
    }
    for (const [executionId, counted] of world.history) {
      numbers.push(this.#number(counted, () => textOfHistory(executionId, counted)))
    }
    numbers.sort((a, b) => a - b)
    const executors = world.executors.map((executor) => this.#number(executor, (it) => this.#textOf(it)))
    if (this.#isSymmetric) {
      executors.sort((a, b) => a - b)
    }
    const { crashes, stalls, cancels, releases, lostReplies, rollbacks } = world.left
    const left = [crashes, stalls, cancels, releases, lostReplies, rollbacks].join('')
    const sendings = world.sendings.join(' ')
    return `${numbers.join(',')}|${executors.join(',')}|${left}|${sendings}`
  }

  #textOf({ runs, found }: ExecutorState): string {
    const held = runs.map(({ executionId, lease, knows, sent }) =>
      [
        executionId,
        lease.startedAt.getTime() - NOW,
        lease.leaseId,
        [...knows].sort().join(','),
        sent === undefined ? '' : textOfEvent(sent),
      ].join(' '),
    )
    held.sort()
    if (found === null) {
      return `run ${held.join(';')}`
    }
    const rows = [...(found.rows?.values() ?? [])].map((row) => this.#number(row, textOfRow))
    return `run ${held.join(';')} found ${found.kind} ${found.executionId} ${found.ids?.join(' ') ?? ''} ${rows.join(' ')}`
  }

  #number<T extends object>(thing: T, textOf: (thing: T) => string): number {
    const known = this.#ofObject.get(thing)
    if (known !== undefined) {
      return known
    }
    const text = textOf(thing)
    const number = this.#numbers.get(text) ?? this.#numbers.size
    this.#numbers.set(text, number)
    this.#ofObject.set(thing, number)
    return number
  }
}

/** All of a row that can differ between worlds. The name of its executor decides nothing, and is left out. */
function textOfRow(row: ExecutionRow): string {
  return [
    row.executionId,
    row.status,
    row.isClosed,
    row.needsPromiseCancellation,
    row.retryAttempts,
    row.losses,
    row.startAt.getTime() > NOW,
    isFarOff(row),
    row.suspendedFor?.map(textOfWait).join(' '),
    row.deadlineAt === undefined ? '' : isDeadlineOver(row, NOW),
    row.startedAt === undefined ? '' : row.startedAt.getTime() - NOW,
    row.leaseId,
    row.finishedAt === undefined ? '' : row.finishedAt.getTime() - NOW,
    row.expiresAt === undefined ? '' : hasLapsed(row),
    row.runOutput,
    row.output,
    row.childrenTasksCompletedCount,
    row.childrenTasksFailedCount,
    row.childrenTasks?.map((child) => child.executionId).join(' '),
    row.childrenTasksErrors
      ?.map((child) => child.executionId)
      .sort()
      .join(' '),
    row.finalizeTask?.executionId,
    row.finalizeTaskError?.message,
    row.error?.message,
  ].join('|')
}

function textOfWait(one: DurableSuspensionStorageObject): string {
  return [one.kind, one.name, 'ordinal' in one ? one.ordinal : '', 'left' in one ? one.left : ''].join(' ')
}

function textOfHistory(executionId: string, counted: ExecutionHistory): string {
  const starts = counted.starts.map((lease) => `${lease.startedAt.getTime() - NOW}${lease.leaseId}`)
  const { claims, retries, losses, lossesInARow, releases, suspensions, outcomes, isCancelled } = counted
  return [
    'history',
    executionId,
    claims.length,
    starts.join(' '),
    retries,
    losses,
    lossesInARow,
    releases,
    suspensions,
    outcomes,
    isCancelled,
  ].join('|')
}

function textOfEvent(event: ExecutionEvent): string {
  const what = 'error' in event ? event.error.message : ''
  const records = 'records' in event ? event.records.map((record) => record.executionId) : []
  const children = 'children' in event ? event.children.map((child) => child.executionId) : []
  return [event.kind, what, ...records, ...children].join(' ')
}
