/** Writing how runs ended, many in one transaction. */

import { type ExecutionRow, type LeanRow } from '../machine/execution.ts'
import { isFinishedStatus } from '../machine/status.ts'
import { type OutsideEvent, type Refusal } from '../machine/event.ts'
import { decide, type Decision, type Rules } from '../machine/family.ts'
import { type DurableStorageGuardedUpdate, type DurableStorageTx } from '../storage/contract.ts'
import { decideInTransaction, type StoreDoors } from './decision.ts'
import { addReady, type Effects, effectsOf } from './effects.ts'
import { insertRows, lockRows } from './rows.ts'
import { type Transact, withOperation } from './transact.ts'

/** How one run ended: its event, and the row as it was claimed. */
export type Settlement = {
  event: Extract<
    OutsideEvent,
    { kind: 'succeeded' | 'fanned_out' | 'recorded' | 'suspended' | 'failed' | 'released' }
  >
  claimed: ExecutionRow
}

export type Settled = { results: Array<'accepted' | Refusal>; effects: Effects }

const RUNNING: NonNullable<DurableStorageGuardedUpdate['statuses']> = ['running']

type SettledOnce = {
  decision: Decision
  results: Array<'accepted' | Refusal>
  /** Whether the rows of the decision are whole: they were claimed by this process, and nothing was read again. */
  isWhole: boolean
}

/** Settles runs. `isRepeat` says that an earlier try may have been committed after all. */
export async function settleRuns(
  transact: Transact,
  settlements: ReadonlyArray<Settlement>,
  doors: StoreDoors,
  { isRepeat }: { isRepeat: boolean },
): Promise<Settled> {
  const given = isRepeat ? settlements.map(mayBeWritten) : settlements
  const { decision, results, isWhole } = await settleOnce(transact, given, doors, isRepeat)
  const effects = effectsOfSettled(decision, results, settlements)
  if (isWhole) {
    effects.finishedRows = decision.rows
  }
  return { results, effects }
}

/** What a run wrote on its way may be there, if an earlier try was committed. */
function mayBeWritten(settlement: Settlement): Settlement {
  const { event } = settlement
  return event.kind === 'recorded' || event.kind === 'suspended'
    ? { ...settlement, event: { ...event, mayExist: true } }
    : settlement
}

async function settleOnce(
  transact: Transact,
  settlements: ReadonlyArray<Settlement>,
  doors: StoreDoors,
  isRepeat: boolean,
): Promise<SettledOnce> {
  const parents = parentsKnownHere(settlements, doors)
  const alone = parents.size === 0 && !isRepeat ? decideAlone(settlements, doors) : undefined
  if (alone === undefined) {
    return await transact(async (tx) => await decideLocked(tx, settlements, parents, doors))
  }
  // A claimed row is exact under its lease, so a plain outcome needs no read: the write names the lease.
  if (alone.inserts.length > 0) {
    return await transact(async (tx) =>
      tx.updateTaskExecutionsBatch === undefined
        ? await decideLocked(tx, settlements, parents, doors)
        : await writeGuarded(tx, alone, settlements),
    )
  }
  return await withOperation(
    transact,
    'updateTaskExecutionsBatch',
    async (tx) => await writeGuarded(tx, alone, settlements),
    async (tx) => await decideLocked(tx, settlements, parents, doors),
  )
}

async function decideLocked(
  tx: DurableStorageTx,
  settlements: ReadonlyArray<Settlement>,
  parents: ReadonlySet<string>,
  doors: StoreDoors,
): Promise<SettledOnce> {
  const now = doors.now()
  const ids = [...settlements.map(({ event }) => event.executionId), ...parents]
  const rows = withOwnTexts(await lockRows(tx, ids, new Date(now)), settlements)
  const missingParentIds = new Set([...parents].filter((id) => !rows.has(id)))
  const events = settlements.map(({ event }) => event)
  const decision = await decideInTransaction(tx, { rows, missingParentIds }, events, doors, now)
  return { decision, results: decision.results, isWhole: false }
}

/** Decides outcomes that concern nobody else over the rows as they were claimed; undefined if something must be read. */
function decideAlone(settlements: ReadonlyArray<Settlement>, doors: StoreDoors): Decision | undefined {
  const rows = new Map<string, LeanRow>()
  for (const { claimed } of settlements) {
    rows.set(claimed.executionId, claimed)
  }
  const rules: Rules = {
    now: doors.now(),
    planOf: doors.planOf,
    newExecutionId: doors.newExecutionId,
    fanIns: new Map(),
    outputs: new Map(),
    known: new Map(),
    failedCounts: new Map(),
  }
  const decision = decide(
    { rows },
    settlements.map(({ event }) => event),
    rules,
  )
  const isPlain =
    decision.kind === 'decided' &&
    rows.size === settlements.length &&
    decision.updates.size === settlements.length &&
    settlements.every(({ claimed }) => claimed.leaseId !== undefined) &&
    decision.results.every((result) => result === 'accepted')
  return isPlain ? decision : undefined
}

async function writeGuarded(
  tx: DurableStorageTx,
  decision: Decision,
  settlements: ReadonlyArray<Settlement>,
): Promise<SettledOnce> {
  const guarded: Array<DurableStorageGuardedUpdate> = []
  for (const { event, claimed } of settlements) {
    const update = decision.updates.get(event.executionId)
    if (update !== undefined && claimed.leaseId !== undefined) {
      guarded.push({ executionId: event.executionId, statuses: RUNNING, leaseId: claimed.leaseId, update })
    }
  }
  const changed = (await tx.updateTaskExecutionsBatch?.(guarded)) ?? []
  if (changed.length === settlements.length) {
    await insertRows(tx, decision.inserts)
    return { decision, results: decision.results, isWhole: true }
  }
  const matched = new Set(changed)
  // Children appear only with the row that returned them.
  const inserts = decision.inserts.filter((row) => matched.has(row.parentTask?.executionId ?? ''))
  await insertRows(tx, inserts)
  return {
    decision: { ...decision, inserts },
    results: settlements.map(({ event }) => (matched.has(event.executionId) ? 'accepted' : 'stale')),
    isWhole: true,
  }
}

/** Parents that this transaction can tell: those whose task is known here. */
function parentsKnownHere(settlements: ReadonlyArray<Settlement>, doors: StoreDoors): Set<string> {
  const parents = new Set<string>()
  for (const { claimed } of settlements) {
    if (claimed.parentTask !== undefined && doors.planOf(claimed.parentTask.taskId) !== undefined) {
      parents.add(claimed.parentTask.executionId)
    }
  }
  return parents
}

/** A row is locked without its input and its list of children; the run has both, and nobody else changes them while it runs. */
function withOwnTexts(
  rows: Map<string, LeanRow>,
  settlements: ReadonlyArray<Settlement>,
): Map<string, LeanRow> {
  for (const { claimed } of settlements) {
    const row = rows.get(claimed.executionId)
    if (row !== undefined && row.runInput === undefined) {
      const { runInput, childrenTasks } = claimed
      const isListed = row.status === 'running' && childrenTasks !== undefined
      rows.set(claimed.executionId, { ...row, runInput, ...(isListed ? { childrenTasks } : {}) })
    }
  }
  return rows
}

function effectsOfSettled(
  decision: Decision,
  results: ReadonlyArray<'accepted' | Refusal>,
  settlements: ReadonlyArray<Settlement>,
): Effects {
  if (results.every((result) => result === 'accepted')) {
    return effectsOf(decision)
  }
  const refusedIds = new Set<string>()
  for (const [index, { event }] of settlements.entries()) {
    if (results[index] !== 'accepted') {
      refusedIds.add(event.executionId)
    }
  }
  const updates = new Map([...decision.updates].filter(([id]) => !refusedIds.has(id)))
  const effects = effectsOf({ ...decision, updates })
  // Written by an earlier try whose reply was lost: what follows from it may not have been told to anybody.
  for (const [index, { event }] of settlements.entries()) {
    const row = decision.rows.get(event.executionId)
    if (results[index] === 'repeated' && row !== undefined) {
      addReady(effects, row.startAt.getTime())
      if (isFinishedStatus(row.status)) {
        effects.finishedIds.push(row.executionId)
        if (!row.isClosed) {
          effects.open.push({ executionId: row.executionId, parentTask: row.parentTask })
        }
      }
    }
  }
  return effects
}
