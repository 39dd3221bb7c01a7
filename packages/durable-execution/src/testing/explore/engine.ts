/** How an executor carries the rules: the pieces that a planted fault may replace by a wrong one. */

import { type ExecutionEvent, type OutsideEvent } from '../../machine/event.ts'
import { type ExecutionRow, type LeanRow, OWN_FIELDS } from '../../machine/execution.ts'
import { type KnownRow } from '../../machine/durable.ts'
import { failureOf } from '../../machine/failed-children.ts'
import { recordStep } from '../../machine/history.ts'
import { type ChildEnd } from '../../machine/parent.ts'
import { applyUpdate } from '../../machine/update.ts'
import { decide, type Decision, type Family, type Rules } from '../../machine/family.ts'
import { type Wanted } from '../../machine/wants.ts'
import { planFor, type Scenario } from './scenario.ts'
import { type FindKind, type Found, NOW, type World } from './world.ts'

/** The pieces. {@link SOUND_ENGINE} has them as they should be. */
export type Engine = {
  decide: (family: Family, events: ReadonlyArray<OutsideEvent>, rules: Rules) => Decision | Wanted
  /** The rows a transaction decides from: those it locked, and no others. */
  believe: (kind: FindKind, locked: ExecutionRow, found: ExecutionRow, candidateId: string) => ExecutionRow
  /** The transactions whose first step keeps its rows for the second. */
  remembers: ReadonlySet<FindKind>
  /** Whether a run begins when its claim is committed, or already when the row is found. */
  isStartingAfterCommit: boolean
  /** Whether a row that ended badly is closed only when nothing below it is active or open. */
  isClosingAfterBelow: boolean
  /** The rows that a cascade looks at. */
  isBelow: (row: ExecutionRow, parentId: string) => boolean
  /** Whether a settle over the row as it was claimed is written only where its lease still holds. */
  isGuardingWrites: boolean
  /** Whether lapsed leases are looked for. */
  isRecovering: boolean
  /** Whether rows of tasks that are not known here are ended. */
  isRejectingUnknown: boolean
}

export const SOUND_ENGINE: Engine = {
  decide,
  believe: (_, locked) => locked,
  remembers: new Set(),
  isStartingAfterCommit: true,
  isClosingAfterBelow: true,
  isBelow: (row, parentId) => row.parentTask?.executionId === parentId,
  isGuardingWrites: true,
  isRecovering: true,
  isRejectingUnknown: false,
}

/** What a transaction made of the rows, and which of its events were accepted. */
export type Committed = {
  rows: ReadonlyMap<string, ExecutionRow>
  accepted: ReadonlyArray<ExecutionEvent>
}

/** The world after a transaction, with what was counted of it. */
export function afterCommit(world: World, { rows, accepted }: Committed): World {
  return { ...world, rows, history: recordStep(world.history, rows, accepted) }
}

/** The fields that a storage may not keep, and those that may not be read with a lock. */
const DROPPABLE: ReadonlySet<string> = new Set(OWN_FIELDS)
const HEAVY_FIELDS: ReadonlySet<string> = new Set(['childrenTasks', 'runInput', 'runOutput', 'output'])

type Rows = ReadonlyMap<string, ExecutionRow>

/** What one executor works with. */
export type Carrier = { scenario: Scenario; engine: Engine; knownTaskIds: ReadonlyArray<string> }

/**
 * The second step of a transaction, which nothing can come between: lock the rows, read them, decide,
 * write. Rows that are not there are left out, as a touch would.
 */
export function transact(
  { scenario, engine, knownTaskIds }: Carrier,
  rows: Rows,
  lockedIds: ReadonlyArray<string>,
  events: ReadonlyArray<OutsideEvent>,
  found?: Found,
): Committed {
  const family = new Map<string, LeanRow>()
  for (const executionId of lockedIds) {
    const locked = rows.get(executionId)
    if (locked !== undefined) {
      const remembered = found?.rows?.get(executionId)
      const isBelieved = found === undefined || remembered === undefined
      const row = isBelieved ? locked : engine.believe(found.kind, locked, remembered, found.executionId)
      family.set(executionId, scenario.isLockingLean === true ? without(row, HEAVY_FIELDS) : row)
    }
  }
  const planOf: Rules['planOf'] = (taskId) =>
    knownTaskIds.includes(taskId) ? planFor(scenario, taskId) : undefined
  const decision = decideWithReads(engine, rows, family, events, planOf)
  return {
    rows: written(rows, decision, scenario.isKeepingFewFields === true),
    accepted: events.filter((_, index) => decision.results[index] === 'accepted'),
  }
}

/**
 * A transaction that decides over remembered rows, and whose every write names what must still hold: a
 * row that does not match is left alone, and nothing is inserted below it. Undefined if something must be read first.
 */
export function transactGuarded(
  { scenario, engine, knownTaskIds }: Carrier,
  rows: Rows,
  remembered: ReadonlyMap<string, ExecutionRow>,
  events: ReadonlyArray<OutsideEvent>,
  isMatching: (executionId: string) => boolean,
): Committed | undefined {
  const planOf: Rules['planOf'] = (taskId) =>
    knownTaskIds.includes(taskId) ? planFor(scenario, taskId) : undefined
  const decision = engine.decide({ rows: remembered }, events, rulesFor(rows, planOf))
  if (decision.kind === 'wanted') {
    return undefined
  }
  const guarded = {
    ...decision,
    updates: new Map([...decision.updates].filter(([executionId]) => isMatching(executionId))),
    inserts: decision.inserts.filter((row) => isMatching(row.parentTask?.executionId ?? '')),
  }
  return {
    rows: written(rows, guarded, scenario.isKeepingFewFields === true),
    accepted: events.filter(
      (event, index) => decision.results[index] === 'accepted' && isMatching(event.executionId),
    ),
  }
}

/** Reads what the rules ask for, until they have decided. */
function decideWithReads(
  engine: Engine,
  rows: Rows,
  family: ReadonlyMap<string, LeanRow>,
  events: ReadonlyArray<OutsideEvent>,
  planOf: Rules['planOf'],
): Decision {
  const fanIns = new Map<string, ReturnType<typeof readFanIn>>()
  const outputs = new Map<string, string>()
  const known = new Map<string, KnownRow>()
  // Each round reads what the one before asked for; a tree this small needs no more than a few.
  for (let round = 0; round < 10; round++) {
    const rules: Rules = {
      ...rulesFor(rows, planOf),
      fanIns,
      outputs,
      known,
    }
    const decision = engine.decide({ rows: family }, events, rules)
    if (decision.kind === 'decided') {
      return decision
    }
    for (const parentId of decision.fanInIds) {
      fanIns.set(parentId, readFanIn(rows, parentId))
    }
    for (const executionId of decision.outputIds) {
      outputs.set(executionId, rows.get(executionId)?.output ?? '')
    }
    for (const executionId of decision.rowIds) {
      known.set(executionId, rows.get(executionId) ?? null)
    }
  }
  throw new Error('the rules ask again and again for what they were given')
}

/** The rules, when nothing was read yet. */
function rulesFor(rows: Rows, planOf: Rules['planOf']): Rules {
  let drawn = 0
  return {
    now: NOW,
    planOf,
    // As many rows as there are can never be fewer again, so the id is new.
    newExecutionId: () => `drawn${rows.size + drawn++}`,
    fanIns: new Map(),
    outputs: new Map(),
    known: new Map(),
    // Few children fail in so small a tree, and each of them is named in its parent's row.
    failedCounts: new Map(),
  }
}

function readFanIn(
  rows: Rows,
  parentId: string,
): {
  runInput: string
  runOutput: string
  children: Array<{ taskId: string; executionId: string } & ChildEnd>
} {
  const parent = rows.get(parentId)
  return {
    runInput: parent?.runInput ?? '',
    runOutput: parent?.runOutput ?? '',
    children: (parent?.childrenTasks ?? []).map(({ taskId, executionId }) => ({
      taskId,
      executionId,
      output: rows.get(executionId)?.output,
      failure: failureOf(rows.get(executionId) ?? {}),
    })),
  }
}

/** Writes by ids, whatever the rows are meanwhile: the guard is in the decision, not in the write. */
function written(rows: Rows, decision: Decision, isKeepingFewFields: boolean): Rows {
  if (decision.updates.size === 0 && decision.inserts.length === 0) {
    return rows
  }
  const next = new Map(rows)
  for (const [executionId, update] of decision.updates) {
    const row = next.get(executionId)
    if (row !== undefined) {
      next.set(executionId, kept(applyUpdate(row, update), isKeepingFewFields))
    }
  }
  for (const row of decision.inserts) {
    if (next.has(row.executionId)) {
      // A storage refuses it; whoever asks for it has forgotten that it may be there.
      throw new Error(`${row.executionId} is inserted, and is there already`)
    }
    next.set(row.executionId, kept(row, isKeepingFewFields))
  }
  return next
}

/** The row as a storage keeps it that knows only the fields of the contract. */
function kept(row: ExecutionRow, isKeepingFewFields: boolean): ExecutionRow {
  return isKeepingFewFields ? without(row, DROPPABLE) : row
}

function without(row: ExecutionRow, fields: ReadonlySet<string>): ExecutionRow {
  return Object.fromEntries(Object.entries(row).filter(([field]) => !fields.has(field))) as ExecutionRow
}
