/** Sentences for tests of the rules: `given(running()).when(completed({ lease: 'first' })).thenRefused('stale')`. */

import { expect } from 'vitest'

import { type KnownRow } from './durable.ts'
import { type OutsideEvent, type Refusal } from './event.ts'
import { type ExecutionRow } from './execution.ts'
import { decide, type Decision, type FanInFacts } from './family.ts'
import { failureOf } from './failed-children.ts'
import { expectWanting, expectWhole } from './laws.test-support.ts'
import { type Composed, endedBadly, type FanIn, type ParentPlan } from './parent.ts'
import { failure, NOW } from './rows.test-support.ts'

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
  thenIs(executionId: string, fields: Partial<ExecutionRow>): void {
    expect(this.decision.results.filter((result) => result !== 'accepted')).toEqual([])
    expect(this.row(executionId)).toMatchObject(fields)
  }

  /** That every event was refused for this reason, and nothing is written. */
  thenRefused(refusal: Refusal): void {
    expect(new Set(this.decision.results)).toEqual(new Set([refusal]))
    expect(this.decision.updates.size + this.decision.inserts.length).toBe(0)
  }
}
