/**
 * The rules applied to rows that were locked together: every event of one transaction, over one
 * working copy, so that two children that finish at once are both counted.
 *
 * What follows from an event inside the family is decided too: a row that finishes is closed, and its
 * parent told, if that parent is in the family and its task is known here.
 */

import { type Millis } from '../base/clock.ts'
import { type ExecutionEvent, type OutsideEvent, type Refusal } from './event.ts'
import { type ExecutionRow, type ExecutionUpdate, type LeanRow } from './execution.ts'
import { isFinishedStatus } from './status.ts'
import { failureOf } from './failed-children.ts'
import { applyUpdate, mergeInPlace, mergeUpdates, updateInPlace } from './update.ts'
import { type ChildEnd, type FanIn, mayHaveOpenBelow, type ParentPlan } from './parent.ts'
import { type KnownRow } from './durable.ts'
import { isAwaitedChild, isCompensation } from './records.ts'
import { type Step, type TransitionFacts } from './facts.ts'
import { type Wanted, Wants } from './wants.ts'
import { transition } from './transition.ts'

/** Rows under lock, by id. */
export type Family = {
  rows: ReadonlyMap<string, LeanRow>
  /** Parents that were looked for and do not exist: what they would have been told is told to nobody. */
  missingParentIds?: ReadonlySet<string>
}

/** What the rules know beside the rows. */
export type Rules = {
  now: Millis
  /** What is known here of a parent's task; undefined if nothing. */
  planOf: (taskId: string) => ParentPlan | undefined
  newExecutionId: () => string
  /** Stored outputs of finished children, read for parents whose turn has come. */
  fanIns: ReadonlyMap<string, FanInFacts>
  /** Stored outputs of finished finalize executions. */
  outputs: ReadonlyMap<string, string>
  /** What was read of rows outside the family; null where there is none. */
  known: ReadonlyMap<string, KnownRow>
  /** For parents whose rows do not say it: how many of their children are stored as ended badly and closed. */
  failedCounts: ReadonlyMap<string, number>
}

/** A parent's own texts and its children, with what is stored so far of their ends. */
export type FanInFacts = {
  runInput: string
  runOutput: string
  children: ReadonlyArray<{ taskId: string; executionId: string } & Partial<ChildEnd>>
}

/** What was decided: for each event its result, and what is to be written. */
export type Decision = {
  kind: 'decided'
  results: Array<'accepted' | Refusal>
  updates: Map<string, ExecutionUpdate>
  inserts: Array<ExecutionRow>
  /** Any row of the family as it will be. */
  rows: Pick<ReadonlyMap<string, LeanRow>, 'get'>
}

/** Decides all events over the family. Nothing that is given is changed. */
export function decide(family: Family, events: ReadonlyArray<OutsideEvent>, rules: Rules): Decision | Wanted {
  const work = new Work(family, rules)
  const results = events.map((event) => work.take(event))
  // Set.forEach makes no object for each step, and visits what is added on the way too.
  work.finishedIds().forEach((executionId) => work.closeIfPossible(executionId))
  return work.result(results)
}

/**
 * The working copy of one decision, which the rules ask for facts and the decision for rows. It is all these itself, which
 * costs no object and no closure for each.
 */
class Work implements TransitionFacts, Pick<ReadonlyMap<string, LeanRow>, 'get'> {
  readonly now: Millis
  readonly planOf: TransitionFacts['planOf']
  readonly newExecutionId: TransitionFacts['newExecutionId']
  /** The rows that were changed, over those of the family. */
  readonly #changed = new Map<string, LeanRow>()
  readonly #updates = new Map<string, ExecutionUpdate>()
  readonly #inserts: Array<ExecutionRow> = []
  readonly #finishedIds = new Set<string>()
  readonly #endedByParentIds = new Set<string>()
  readonly #wants = new Wants()
  readonly #family: Family
  readonly #rules: Rules

  constructor(family: Family, rules: Rules) {
    this.#family = family
    this.#rules = rules
    this.now = rules.now
    this.planOf = rules.planOf
    this.newExecutionId = rules.newExecutionId
  }

  /** A row as it is so far. */
  get(executionId: string): LeanRow | undefined {
    return this.#changed.get(executionId) ?? this.#family.rows.get(executionId)
  }

  row(executionId: string): LeanRow | undefined {
    return this.get(executionId)
  }

  output(executionId: string): string | undefined {
    return this.#rules.outputs.get(executionId)
  }

  known(executionId: string): KnownRow | undefined {
    return this.#rules.known.get(executionId)
  }

  failedChildren(parentId: string): number | undefined {
    return this.#rules.failedCounts.get(parentId)
  }

  finishedIds(): Set<string> {
    return this.#finishedIds
  }

  take(event: OutsideEvent): 'accepted' | Refusal {
    if (event.kind === 'closed') {
      return this.#close(event)
    }
    const result = this.#apply(event)
    if (event.kind === 'parent_ended' && result === 'accepted') {
      this.#endedByParentIds.add(event.executionId)
    }
    return result
  }

  closeIfPossible(executionId: string): void {
    const row = this.get(executionId)
    // It finished in this decision, so it stays finished; where it is closed already, closing it is refused.
    if (row === undefined || mayHaveOpenBelow(row)) {
      return
    }
    const update = this.#updates.get(executionId)
    if (row.parentTask === undefined && update !== undefined) {
      this.#closeAlone(row, update)
    } else {
      this.#close({ kind: 'closed', executionId, isBelowClosed: true })
    }
  }

  /**
   * Closes a row that finished in this decision and has nobody to tell. Both objects were made by it, so they are
   * changed in place: copies of them were a fifth of what settling plain tasks allocated.
   */
  #closeAlone(row: LeanRow, update: ExecutionUpdate): void {
    const closed = { kind: 'closed' as const, executionId: row.executionId, isBelowClosed: true }
    const step = transition(row, closed, this)
    if ('update' in step) {
      Object.assign(row, step.update)
      Object.assign(update, step.update)
    }
  }

  result(results: Array<'accepted' | Refusal>): Decision | Wanted {
    const wanted = this.#wants.told()
    if (wanted !== undefined) {
      return wanted
    }
    return {
      kind: 'decided',
      results,
      updates: this.#updates,
      inserts: this.#inserts,
      rows: this,
    }
  }

  /** Tells the parent, then marks the row closed: both or neither. */
  #close(closed: Extract<ExecutionEvent, { kind: 'closed' }>): 'accepted' | Refusal {
    const row = this.get(closed.executionId)
    if (row === undefined) {
      return 'not_found'
    }
    const check = transition(row, closed, this)
    if ('refused' in check) {
      return check.refused
    }
    const told = this.#tellParent(row)
    if (told === 'accepted' && !('needs' in check)) {
      // Telling the parent changes the parent alone, so what was decided of the row still holds.
      this.#write(row, check)
    }
    return told
  }

  #tellParent(row: LeanRow): 'accepted' | Refusal {
    const { parentTask } = row
    if (parentTask === undefined || isCompensation(row)) {
      return 'accepted'
    }
    const parentId = parentTask.executionId
    // A row that this very decision ended on its parent's behalf has nothing to tell it. What its error
    // says is no proof of that: a task may throw any message.
    if (
      this.#endedByParentIds.has(row.executionId) ||
      this.#family.missingParentIds?.has(parentId) === true
    ) {
      return 'accepted'
    }
    const parent = this.get(parentId)
    if (parent === undefined) {
      return 'parent_unknown'
    }
    if (isAwaitedChild(row)) {
      return this.#apply({ kind: 'awaited_ended', executionId: parentId, childId: row.executionId })
    }
    if (!isFinishedStatus(parent.status) && this.#rules.planOf(parent.taskId) === undefined) {
      return 'parent_unknown'
    }
    return this.#apply(newsForParent(row, parentId, parentTask.isFinalizeTask === true))
  }

  #apply(event: ExecutionEvent): 'accepted' | Refusal {
    const row = this.get(event.executionId)
    if (row === undefined) {
      return 'not_found'
    }
    const step = transition(row, event, this)
    if ('refused' in step) {
      return step.refused
    }
    if ('needs' in step) {
      this.#wants.add(step)
      return 'accepted'
    }
    this.#write(row, step)
    return 'accepted'
  }

  #write(row: LeanRow, { update, inserts, updateBeside }: Step): void {
    const { executionId } = row
    if (updateBeside !== undefined) {
      this.#updates.set(updateBeside.executionId, updateBeside.update)
    }
    // One by one: a spread of a hundred thousand rows would not fit on the stack.
    for (const insert of inserts) {
      this.#inserts.push(insert)
    }
    if (update === null) {
      return
    }
    const wasFinished = isFinishedStatus(row.status)
    const before = this.#updates.get(executionId)
    let next = this.#changed.get(executionId)
    if (before !== undefined && next !== undefined) {
      // Both were made by this decision. A parent of many children is written once for each, so nothing is copied.
      mergeInPlace(before, update)
      updateInPlace(next, update)
    } else {
      this.#updates.set(executionId, before === undefined ? update : mergeUpdates(before, update))
      next = applyUpdate(row, update)
      this.#changed.set(executionId, next)
    }
    if (isFinishedStatus(next.status) && !wasFinished) {
      this.#finishedIds.add(executionId)
    }
  }

  /** The parent's texts, with outputs from this very transaction before the stored ones. */
  fanIn(parentId: string): FanIn | undefined {
    const facts = this.#rules.fanIns.get(parentId)
    if (facts === undefined) {
      return undefined
    }
    const children = facts.children.map(({ taskId, executionId, output, failure }) => {
      const row = this.get(executionId)
      return {
        taskId,
        executionId,
        output: row?.output ?? output,
        failure: row === undefined ? failure : (failureOf(row) ?? failure),
      }
    })
    return { runInput: facts.runInput, runOutput: facts.runOutput, children }
  }
}

function newsForParent(row: LeanRow, parentId: string, isFinalizeTask: boolean): ExecutionEvent {
  const isCompleted = row.status === 'completed'
  const about = { executionId: parentId, childId: row.executionId }
  if (isFinalizeTask) {
    return { kind: isCompleted ? 'finalize_completed' : 'finalize_failed', ...about }
  }
  return { kind: isCompleted ? 'child_completed' : 'child_failed', ...about }
}
