/** Ways to bend what the rules decided: what planted faults are made of. */

import { type ExecutionEvent, type OutsideEvent } from '../../machine/event.ts'
import { type ExecutionRow, type ExecutionUpdate, type LeanRow } from '../../machine/execution.ts'
import { decide, type Decision, type Family, type Rules } from '../../machine/family.ts'
import { type Engine } from './engine.ts'

type Decide = Engine['decide']

/** One update of a decision and what it is about. */
export type Touched = {
  before: LeanRow
  update: ExecutionUpdate
  /** The event of this row, if one was accepted. */
  event: ExecutionEvent | undefined
  rules: Rules
}

/** The rules, with the events changed before they see them. */
export function withEvents(bend: (event: OutsideEvent, row: LeanRow) => OutsideEvent): Decide {
  return (family, events, rules) => {
    const bent = events.map((event) => {
      const row = family.rows.get(event.executionId)
      return row === undefined ? event : bend(event, row)
    })
    return decide(family, bent, rules)
  }
}

/** The rules, with the rows changed before they see them. */
export function withRows(bend: (row: LeanRow, events: ReadonlyArray<OutsideEvent>) => LeanRow): Decide {
  return (family, events, rules) => {
    const rows = new Map([...family.rows].map(([id, row]) => [id, bend(row, events)]))
    return decide({ ...family, rows }, events, rules)
  }
}

/** The rules, with what they knew of the family changed. */
export function withFamily(bend: (family: Family, rules: Rules) => Family): Decide {
  return (family, events, rules) => decide(bend(family, rules), events, rules)
}

/** The rules, with their updates changed; with them may come rows to insert. */
export function withUpdates(
  bend: (touched: Touched) => ExecutionUpdate | { update: ExecutionUpdate; insert: ExecutionRow },
): Decide {
  return afterwards((decision, family, events, rules) => {
    for (const [executionId, update] of decision.updates) {
      const before = family.rows.get(executionId)
      const event = events.find(
        (each, index) => each.executionId === executionId && decision.results[index] === 'accepted',
      )
      if (before !== undefined) {
        const bent = bend({ before, update, event, rules })
        decision.updates.set(executionId, 'update' in bent ? bent.update : bent)
        decision.inserts.push(...('insert' in bent ? [bent.insert] : []))
      }
    }
  })
}

/** The rules, with the whole decision changed in place. */
export function afterwards(
  bend: (decision: Decision, family: Family, events: ReadonlyArray<OutsideEvent>, rules: Rules) => void,
): Decide {
  return (family, events, rules) => {
    const decision = decide(family, events, rules)
    if (decision.kind === 'decided') {
      bend(decision, family, events, rules)
    }
    return decision
  }
}

/** The event under the lease that the row has now: what an engine does that names none. */
export function underLeaseOf(event: OutsideEvent, row: LeanRow): OutsideEvent {
  if (!('lease' in event) || row.startedAt === undefined) {
    return event
  }
  return { ...event, lease: { startedAt: row.startedAt, leaseId: row.leaseId ?? event.lease.leaseId } }
}
