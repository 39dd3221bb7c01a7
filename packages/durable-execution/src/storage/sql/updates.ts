/** Changes of rows as columns: which of them an update sets, and which updates are alike. */

import { type ExecutionUpdate } from '../../machine/execution.ts'
import { type DurableStorageGuardedUpdate } from '../contract.ts'
import { SQL_FIELDS, type SqlColumn, type SqlValue } from './fields.ts'
import { statusGuard } from './where.ts'

/** Updates that set the same columns under the same kind of guard. */
export type AlikeUpdates = {
  readonly columns: ReadonlyArray<SqlColumn>
  /** The statuses that a row may have; undefined for any. */
  readonly statuses: ReadonlyArray<Status> | undefined
  /** The condition on the status; an empty text for none. */
  readonly guard: string
  readonly hasLease: boolean
  readonly members: Array<DurableStorageGuardedUpdate>
}

type Statuses = DurableStorageGuardedUpdate['statuses']
type Status = NonNullable<Statuses>[number]

// Each is a bit of the number that says what an update sets.
const SETTABLE: Record<Exclude<keyof ExecutionUpdate, 'unsetError' | 'unsetExpiresAt'>, true> = {
  runOutput: true,
  output: true,
  childrenTasksCompletedCount: true,
  childrenTasks: true,
  childrenTasksErrors: true,
  finalizeTask: true,
  finalizeTaskError: true,
  error: true,
  status: true,
  isClosed: true,
  needsPromiseCancellation: true,
  retryAttempts: true,
  startAt: true,
  startedAt: true,
  finishedAt: true,
  expiresAt: true,
  updatedAt: true,
  leaseId: true,
  executorId: true,
  losses: true,
  childrenTasksCount: true,
  childrenTasksFailedCount: true,
  suspendedFor: true,
  hasCompensations: true,
}
const NAMES = Object.keys(SETTABLE) as Array<keyof typeof SETTABLE>
const UNSET_ERROR = 2 ** NAMES.length
const UNSET_EXPIRES_AT = 2 * UNSET_ERROR

// The same few sets come again and again, so there is no bound.
const columnsOfSets = new Map<number, ReadonlyArray<SqlColumn>>()

/** The columns that the update sets, in the order of the fields. What is `undefined` is left as it is; `unset…` wins over a value. */
export function columnsSet(update: ExecutionUpdate): ReadonlyArray<SqlColumn> {
  return columnsOfSet(setOf(update))
}

/** The value that the update sets the column to; null where it unsets it. */
export function valueSet(update: ExecutionUpdate, { field, toKept }: SqlColumn): SqlValue {
  const value: unknown = update[field as keyof ExecutionUpdate]
  return value === undefined ? null : toKept(value)
}

/** The updates by what they set, and under which guard. Those that no row can match are left out. */
export function groupAlike(updates: ReadonlyArray<DurableStorageGuardedUpdate>): Array<AlikeUpdates> {
  const groups = new Map<string, AlikeUpdates>()
  let last: { set: number; statuses: Statuses; group: AlikeUpdates } | undefined
  for (const one of updates) {
    const { statuses } = one
    if (statuses?.length === 0) {
      continue
    }
    const set = setOf(one.update)
    const hasLease = one.leaseId !== undefined
    // Most are like the one before them.
    const isLikeLast =
      last?.set === set && last.group.hasLease === hasLease && areSame(last.statuses, statuses)
    if (last === undefined || !isLikeLast) {
      last = { set, statuses, group: groupOf(groups, set, hasLease, statuses) }
    }
    last.group.members.push(one)
  }
  return [...groups.values()]
}

/** An update alone, as one of a group. One that no row can match is none. */
export function aloneOf(one: DurableStorageGuardedUpdate): AlikeUpdates | undefined {
  const { update, statuses, leaseId } = one
  return statuses?.length === 0 ? undefined : alikeOf(setOf(update), leaseId !== undefined, statuses, [one])
}

/** Statements, each made once for what updates set and how they are guarded. */
export class GuardedStatements<T> {
  readonly #make: (alike: AlikeUpdates) => T
  readonly #made = new Map<ReadonlyArray<SqlColumn>, Map<string, T>>()

  /** `make` may read what the updates of the group have in common, and neither their values nor their number. */
  constructor(make: (alike: AlikeUpdates) => T) {
    this.#make = make
  }

  of(alike: AlikeUpdates): T {
    const { columns, guard, hasLease } = alike
    let ofColumns = this.#made.get(columns)
    if (ofColumns === undefined) {
      ofColumns = new Map()
      this.#made.set(columns, ofColumns)
    }
    const kind = hasLease ? guard : `without a lease ${guard}`
    let made = ofColumns.get(kind)
    if (made === undefined) {
      made = this.#make(alike)
      ofColumns.set(kind, made)
    }
    return made
  }
}

// The same few lists come again and again, so there is no bound.
const guards = new Map<string, string>()

function guardOf(statuses: Statuses): string {
  if (statuses === undefined) {
    return ''
  }
  const names = statuses.join()
  let guard = guards.get(names)
  if (guard === undefined) {
    guard = statusGuard(statuses)
    guards.set(names, guard)
  }
  return guard
}

function groupOf(
  groups: Map<string, AlikeUpdates>,
  set: number,
  hasLease: boolean,
  statuses: Statuses,
): AlikeUpdates {
  const shape = `${set} ${hasLease} ${statuses?.join() ?? ''}`
  const known = groups.get(shape)
  if (known !== undefined) {
    return known
  }
  const group = alikeOf(set, hasLease, statuses, [])
  groups.set(shape, group)
  return group
}

function alikeOf(
  set: number,
  hasLease: boolean,
  statuses: Statuses,
  members: Array<DurableStorageGuardedUpdate>,
): AlikeUpdates {
  return { columns: columnsOfSet(set), statuses, guard: guardOf(statuses), hasLease, members }
}

function setOf(update: ExecutionUpdate): number {
  let set = 0
  for (let index = 0, bit = 1; index < NAMES.length; index += 1, bit *= 2) {
    if (update[NAMES[index] as keyof ExecutionUpdate] !== undefined) {
      set |= bit
    }
  }
  if (update.unsetError === true) {
    set |= UNSET_ERROR
  }
  if (update.unsetExpiresAt === true) {
    set |= UNSET_EXPIRES_AT
  }
  return set
}

function columnsOfSet(set: number): ReadonlyArray<SqlColumn> {
  const known = columnsOfSets.get(set)
  if (known !== undefined) {
    return known
  }
  const named = new Set<string>(NAMES.filter((_, index) => (set & (2 ** index)) !== 0))
  const unset = new Set<string>([
    ...((set & UNSET_ERROR) === 0 ? [] : ['error']),
    ...((set & UNSET_EXPIRES_AT) === 0 ? [] : ['expiresAt']),
  ])
  const columns = SQL_FIELDS.filter(({ name }) => named.has(name) || unset.has(name)).flatMap((field) =>
    field.columns.map((column) => (unset.has(field.name) ? { ...column, toKept: () => null } : column)),
  )
  columnsOfSets.set(set, columns)
  return columns
}

function areSame(some: Statuses, others: Statuses): boolean {
  return some === others || (some !== undefined && some.join() === others?.join())
}
