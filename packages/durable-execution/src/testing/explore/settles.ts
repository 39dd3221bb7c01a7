/** How the runs of an executor may end, one by one and several in one transaction. */

import { type NewChild, type OutsideEvent } from '../../machine/event.ts'
import { deadlineExceeded, isDeadlineOver } from '../../machine/deadline.ts'
import { holdsLease } from '../../machine/attempt.ts'
import { eventsOfCode } from './durable-code.ts'
import { type Carrier, type Committed, transact, transactGuarded } from './engine.ts'
import { type Outcome, type Scenario, templateOf } from './scenario.ts'
import { type Actor } from './steps.ts'
import { NOW, type Run } from './world.ts'

/** A settling transaction: the runs it reports, and the rows it locks. */
export type Settle = {
  runs: ReadonlyArray<Run>
  events: ReadonlyArray<OutsideEvent>
  lockedIds: ReadonlyArray<string>
  what: string
}

/** Every way to settle: each run with each outcome, and all that are alive together. */
export function settlesOf(actor: Actor): Array<Settle> {
  const { runs } = actor.executor
  const settles: Array<Settle> = []
  for (const run of runs) {
    for (const event of eventsOf(actor, run)) {
      settles.push(settleOf(actor, [run], [event]))
    }
  }
  const alive = runs.filter((run) => isAlive(actor, run))
  if (alive.length > 1) {
    for (const events of combinations(alive.map((run) => eventsOf(actor, run)))) {
      settles.push(settleOf(actor, alive, events))
    }
  }
  return settles
}

function settleOf(
  { world, carrier }: Actor,
  runs: ReadonlyArray<Run>,
  events: ReadonlyArray<OutsideEvent>,
): Settle {
  const parentIds = runs.flatMap(({ executionId }) => {
    const parent = world.rows.get(executionId)?.parentTask
    const isLocked = parent !== undefined && carrier.knownTaskIds.includes(parent.taskId)
    return isLocked && carrier.scenario.isSettlingWithParents ? [parent.executionId] : []
  })
  const lockedIds = [...new Set([...runs.map((run) => run.executionId), ...parentIds])]
  const what = events.map((event) => `${event.executionId} ${event.kind}`).join(', ')
  return { runs, events, lockedIds, what }
}

/**
 * Writes a settle. One that concerns no other row may be decided over the rows as they were claimed:
 * under a lease they are exact, and the write is guarded by the lease. All others lock and read.
 */
export function commitSettle(carrier: Carrier, rows: Committed['rows'], settle: Settle): Committed {
  const isAlone = settle.lockedIds.length === settle.runs.length
  if (carrier.scenario.isSettlingFromClaims !== true || !isAlone || settle.runs.some((run) => run.sent)) {
    return transact(carrier, rows, settle.lockedIds, settle.events)
  }
  const claimed = new Map(settle.runs.map((run) => [run.executionId, run.claimed]))
  const guarded = transactGuarded(carrier, rows, claimed, settle.events, (executionId) => {
    if (!carrier.engine.isGuardingWrites) {
      return true
    }
    const row = rows.get(executionId)
    const run = settle.runs.find((each) => each.executionId === executionId)
    return row !== undefined && run !== undefined && holdsLease(row, run.lease)
  })
  return guarded ?? transact(carrier, rows, settle.lockedIds, settle.events)
}

/** What a run may report: one of its task's outcomes, or again what it sent already. */
function eventsOf(actor: Actor, run: Run): Array<OutsideEvent> {
  if (run.sent !== undefined) {
    const { sent } = run
    // What it wrote on its way may be there.
    const isWrite = sent.kind === 'recorded' || sent.kind === 'suspended'
    return [(isWrite ? { ...sent, mayExist: true } : sent) as OutsideEvent]
  }
  const { scenario } = actor.carrier
  const { rows } = actor.world
  const { outcomes = [], code = [] } = scenario.tasks[rows.get(run.executionId)?.taskId ?? ''] ?? {}
  const possible = eventsOfCode(code, run, rows, scenario, () =>
    outcomes.map((outcome) => eventOf(scenario, run, outcome)),
  )
  // A run that was fenced off is refused whatever it says, so that one thing it may say is enough.
  const isRunning = isAlive(actor, run)
  const events = isRunning ? possible : possible.slice(0, 1)
  const row = rows.get(run.executionId)
  return isRunning && row !== undefined && isDeadlineOver(row, NOW)
    ? [...events, stoppedByDeadline(run)]
    : events
}

/** It is stopped, or was not begun; or it had ended in time, and that is told late. */
function stoppedByDeadline({ executionId, lease }: Run): OutsideEvent {
  return { kind: 'failed', executionId, lease, error: deadlineExceeded() }
}

/** The run after its settle was answered; undefined if it is over. */
export function afterSettle(run: Run, settle: Settle, committed: Committed): Run | undefined {
  const event = settle.events[settle.runs.indexOf(run)]
  if (event === undefined) {
    return run
  }
  const isGoingOn = event.kind === 'recorded' && committed.accepted.includes(event)
  if (!isGoingOn) {
    return undefined
  }
  const { sent: _, ...rest } = run
  const { childrenTasks } = event
  return childrenTasks.length === 0
    ? rest
    : {
        ...rest,
        claimed: {
          ...run.claimed,
          childrenTasks: [...childrenTasks],
          childrenTasksCount: childrenTasks.length,
        },
      }
}

function isAlive({ world }: Actor, run: Run): boolean {
  const row = world.rows.get(run.executionId)
  return row !== undefined && holdsLease(row, run.lease)
}

function eventOf(scenario: Scenario, run: Run, outcome: Outcome): OutsideEvent {
  const { executionId, lease } = run
  switch (outcome.kind) {
    case 'succeeded':
      return { kind: 'succeeded', executionId, lease, runOutput: 'output' }
    case 'failed':
      return { kind: 'failed', executionId, lease, error: outcome.error }
    case 'fanned_out': {
      const children = outcome.childrenTaskIds.map((taskId, index) => newChild(scenario, run, taskId, index))
      return { kind: 'fanned_out', executionId, lease, runOutput: 'output', children }
    }
  }
}

/** Each run draws ids of its own for the children it returns. */
function newChild(scenario: Scenario, run: Run, taskId: string, index: number): NewChild {
  const attempt = run.lease.startedAt.getTime() - NOW
  const executionId = `${run.executionId}.${attempt === 0 ? '' : `${attempt}.`}${taskId}${index}`
  return { ...templateOf(scenario, taskId), executionId, runInput: 'input' }
}

function combinations<T>(choices: ReadonlyArray<ReadonlyArray<T>>): Array<Array<T>> {
  return choices.reduce<Array<Array<T>>>(
    (done, next) => done.flatMap((chosen) => next.map((choice) => [...chosen, choice])),
    [[]],
  )
}
