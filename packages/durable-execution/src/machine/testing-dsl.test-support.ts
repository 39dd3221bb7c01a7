/** Sentences for tests of the rules: `given(running()).when(completed({ lease: 'first' })).thenRefused('stale')`. */

import { expect } from 'vitest'

import { type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import { type KnownRow } from './durable.ts'
import { type Lease, type NewChild, type OutsideEvent, type Refusal } from './event.ts'
import {
  createDurableTaskExecutionStorageObject,
  type ExecutionRow,
  type FinishedStatus,
} from './execution.ts'
import { decide, type Decision, type FanInFacts } from './family.ts'
import { failureOf } from './failed-children.ts'
import { expectWanting, expectWhole } from './laws.test-support.ts'
import { type Composed, endedBadly, type FanIn, type ParentPlan } from './parent.ts'

/** The instant of all sentences. */
export const NOW = 1_000_000

type Fields = Partial<ExecutionRow>

const LEASES: Readonly<Record<string, Date>> = { first: new Date(NOW - 2_000), second: new Date(NOW - 1_000) }

/** Claims of one row, by name: the `second` came after the `first`. */
export function leaseNamed(name: string): Lease {
  return { startedAt: LEASES[name] ?? new Date(NOW), leaseId: name }
}

export function ready(fields: Fields = {}): ExecutionRow {
  const row = createDurableTaskExecutionStorageObject({
    now: new Date(NOW - 10_000),
    taskId: 'task',
    executionId: 'x',
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 1_000,
    runInput: 'input',
  })
  return { ...row, depth: 1, ...fields }
}

/** Running under a lease that holds. */
export function running({ lease = 'first', ...fields }: Fields & { lease?: string } = {}): ExecutionRow {
  return ready({ status: 'running', ...leaseNamed(lease), expiresAt: new Date(NOW + 30_000), ...fields })
}

/** Running under a lease that lapsed a millisecond ago. */
export function lapsed(fields: Fields & { lease?: string } = {}): ExecutionRow {
  return running({ expiresAt: new Date(NOW - 1), ...fields })
}

/** A parent `p` that waits for `of` children, of which so many are counted. */
export function waiting({
  of,
  counted = 0,
  ...fields
}: Fields & { of: number; counted?: number }): ExecutionRow {
  const childrenTasks = Array.from({ length: of }, (_, index) => ({
    taskId: 'child',
    executionId: `c${index}`,
  }))
  return ready({
    executionId: 'p',
    taskId: 'parent',
    status: 'waiting_for_children_tasks',
    ...leaseNamed('first'),
    runOutput: 'parent output',
    childrenTasks,
    childrenTasksCount: of,
    childrenTasksCompletedCount: counted,
    ...fields,
  })
}

/** A parent `p` whose children are done and whose finalize execution `f` is not. */
export function waitingForFinalize(fields: Fields = {}): ExecutionRow {
  const finalizeTask = { taskId: 'last', executionId: 'f' }
  return waiting({ of: 1, counted: 1, status: 'waiting_for_finalize_task', finalizeTask, ...fields })
}

/** Places a row below the parent `p`, as its child of that index. */
export function child(childIndex: number, row: ExecutionRow): ExecutionRow {
  const parentTask = { taskId: 'parent', executionId: 'p' }
  return { ...row, executionId: `c${childIndex}`, taskId: 'child', parentTask, childIndex, depth: 2 }
}

/** Places a row below the parent `p`, as its finalize execution `f`. */
export function finalize(row: ExecutionRow): ExecutionRow {
  const parentTask = { taskId: 'parent', executionId: 'p', isFinalizeTask: true }
  return { ...row, executionId: 'f', taskId: 'last', parentTask, depth: 2 }
}

/** A finished row that nobody has closed yet. */
export function finished(status: FinishedStatus, fields: Fields = {}): ExecutionRow {
  const result =
    status === 'completed' ? { runOutput: 'output', output: 'output' } : { error: failure('No luck') }
  return ready({ status, ...leaseNamed('first'), finishedAt: new Date(NOW - 500), ...result, ...fields })
}

export function failure(
  message: string,
  { isRetryable = false, errorType = 'generic' }: Partial<DurableExecutionErrorStorageObject> = {},
): DurableExecutionErrorStorageObject {
  return { errorType, message, isRetryable }
}

type About = { of?: string; lease?: string }

export function claimed({ of = 'x', lease = 'third' }: About = {}): OutsideEvent {
  return {
    kind: 'claimed',
    executionId: of,
    leaseId: lease,
    executorId: 'executor',
    expiresAt: new Date(NOW + 30_000),
  }
}

export function renewed({ of = 'x', lease = 'first' }: About = {}): OutsideEvent {
  return { kind: 'renewed', executionId: of, lease: leaseNamed(lease), expiresAt: new Date(NOW + 60_000) }
}

export function completed({
  of = 'x',
  lease = 'first',
  output = 'output',
}: About & { output?: string } = {}): OutsideEvent {
  return { kind: 'succeeded', executionId: of, lease: leaseNamed(lease), runOutput: output }
}

export function fannedOut({
  of = 'p',
  lease = 'first',
  children = [],
}: About & { children?: ReadonlyArray<NewChild> } = {}): OutsideEvent {
  return {
    kind: 'fanned_out',
    executionId: of,
    lease: leaseNamed(lease),
    runOutput: 'parent output',
    children,
  }
}

export function newChild(index: number): NewChild {
  return {
    executionId: `c${index}`,
    taskId: 'child',
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 1_000,
    runInput: `input ${index}`,
  }
}

export function failed({
  of = 'x',
  lease = 'first',
  error = failure('No luck'),
}: About & { error?: DurableExecutionErrorStorageObject } = {}): OutsideEvent {
  return { kind: 'failed', executionId: of, lease: leaseNamed(lease), error }
}

export function released({ of = 'x', lease = 'first' }: About = {}): OutsideEvent {
  return { kind: 'released', executionId: of, lease: leaseNamed(lease) }
}

export function lost({ of = 'x', maxLosses = 3 }: About & { maxLosses?: number } = {}): OutsideEvent {
  return { kind: 'lost', executionId: of, maxLosses }
}

export function cancelled({ of = 'x' }: About = {}): OutsideEvent {
  return { kind: 'cancelled', executionId: of }
}

export function parentEnded({ of, message }: { of: string; message: string }): OutsideEvent {
  return { kind: 'parent_ended', executionId: of, parentError: failure(message, { errorType: 'cancelled' }) }
}

export function closed({
  of = 'x',
  isBelowClosed = true,
  compensation,
}: About & { isBelowClosed?: boolean; compensation?: NewChild } = {}): OutsideEvent {
  const event = { kind: 'closed' as const, executionId: of, isBelowClosed }
  return compensation === undefined ? event : { ...event, compensation }
}

/** A parent's task whose texts name what they were made of. */
export const planWithFinalize: ParentPlan = {
  composeOutput: composed,
  finalize: {
    template: { taskId: 'last', retryOptions: { maxAttempts: 0 }, sleepMsBeforeRun: 0, timeoutMs: 1_000 },
    composeInput: composed,
  },
}

export const planWithoutFinalize: ParentPlan = { composeOutput: composed }

/** The same where so many children may end badly, whose errors then stand for their outputs. */
export function tolerating(toleratedFailures: number, plan: ParentPlan = planWithFinalize): ParentPlan {
  return { ...plan, toleratedFailures }
}

function composed({ runInput, runOutput, children }: FanIn): Composed {
  const ends = children.map(
    ({ output, failure: bad }) => output ?? (bad && `${bad.status}: ${bad.error.message}`),
  )
  const childIndex = ends.indexOf(undefined)
  return childIndex === -1
    ? { text: [runInput, runOutput, ...ends].join(', ') }
    : { error: failure('Unreadable'), childIndex }
}

type Circumstances = {
  plan?: ParentPlan | undefined
  missingParentIds?: ReadonlySet<string>
  /** Rows that are stored and were not locked. */
  stored?: ReadonlyArray<ExecutionRow>
}

/** The rows that were locked together. */
export function given(...rows: Array<ExecutionRow>): Given {
  return new Given(rows, { plan: planWithFinalize })
}

export class Given {
  readonly #rows: ReadonlyArray<ExecutionRow>
  readonly #circumstances: Circumstances

  constructor(rows: ReadonlyArray<ExecutionRow>, circumstances: Circumstances) {
    this.#rows = rows
    this.#circumstances = circumstances
  }

  /** With another plan for the parent's task (undefined: not known here), and what else is so. */
  where(circumstances: Circumstances): Given {
    return new Given(this.#rows, { ...this.#circumstances, ...circumstances })
  }

  when(...events: Array<OutsideEvent>): Then {
    const family = new Map(this.#rows.map((row) => [row.executionId, row]))
    const { plan, missingParentIds, stored = [] } = this.#circumstances
    const all = new Map([...this.#rows, ...stored].map((row) => [row.executionId, row]))
    const fanIns = new Map<string, FanInFacts>()
    const outputs = new Map<string, string>()
    const known = new Map<string, KnownRow>()
    const failedCounts = new Map<string, number>()
    const before = structuredClone(family)
    for (;;) {
      const rules = {
        now: NOW,
        planOf: () => plan,
        newExecutionId: () => 'f',
        fanIns,
        outputs,
        known,
        failedCounts,
      }
      const locked = missingParentIds === undefined ? { rows: family } : { rows: family, missingParentIds }
      const decision = decide(locked, events, rules)
      expect(family, 'what was given is not changed').toEqual(before)
      if (decision.kind === 'decided') {
        expectWhole(family, decision)
        return new Then(decision)
      }
      expectWanting(decision)
      for (const id of decision.fanInIds) {
        expect(fanIns.has(id), `${id} was read already`).toBe(false)
        fanIns.set(id, factsOf(all, id))
      }
      for (const id of decision.outputIds) {
        expect(outputs.has(id), `${id} was read already`).toBe(false)
        outputs.set(id, all.get(id)?.output ?? '')
      }
      for (const id of decision.rowIds) {
        expect(known.has(id), `${id} was read already`).toBe(false)
        known.set(id, all.get(id) ?? null)
      }
      for (const id of decision.failedCountIds) {
        expect(failedCounts.has(id), `${id} was counted already`).toBe(false)
        failedCounts.set(id, countFailed(all, id))
      }
    }
  }
}

function factsOf(rows: ReadonlyMap<string, ExecutionRow>, parentId: string): FanInFacts {
  const parent = rows.get(parentId)
  const children = (parent?.childrenTasks ?? []).map((each) => ({
    ...each,
    output: rows.get(each.executionId)?.output,
    failure: failureOf(rows.get(each.executionId) ?? {}),
  }))
  return { runInput: parent?.runInput ?? '', runOutput: parent?.runOutput ?? '', children }
}

function countFailed(rows: ReadonlyMap<string, ExecutionRow>, parentId: string): number {
  return [...rows.values()].filter(
    (row) => row.parentTask?.executionId === parentId && row.isClosed && endedBadly(row),
  ).length
}

export class Then {
  readonly decision: Decision

  constructor(decision: Decision) {
    this.decision = decision
  }

  /** The row as it will be; that of the only event's if it is not named. */
  row(executionId: string = 'x'): ExecutionRow {
    return this.decision.rows.get(executionId) as ExecutionRow
  }

  /** That all events were accepted, and the row is as described. */
  thenIs(executionId: string, fields: Fields): void {
    expect(this.decision.results.filter((result) => result !== 'accepted')).toEqual([])
    expect(this.row(executionId)).toMatchObject(fields)
  }

  /** That every event was refused for this reason, and nothing is written. */
  thenRefused(refusal: Refusal): void {
    expect(new Set(this.decision.results)).toEqual(new Set([refusal]))
    expect(this.decision.updates.size + this.decision.inserts.length).toBe(0)
  }
}
