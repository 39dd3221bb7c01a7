/** Planted faults of durable code: what is remembered, what runs are left for, and what wakes them. */

import { LIMITS } from '../../base/limits.ts'
import { type OutsideEvent } from '../../machine/event.ts'
import { decide } from '../../machine/family.ts'
import { isAwaitedChild } from '../../machine/records.ts'
import { type Engine } from './engine.ts'
import { type PlantedFault } from './faults.ts'
import { NOW } from './world.ts'
import { afterwards, underLeaseOf, withEvents, withUpdates } from './wrong-decisions.ts'

const FAR_OFF = new Date(NOW + LIMITS.delayMs)

export const DURABLE_FAULTS: ReadonlyArray<PlantedFault> = [
  {
    name: 'a record without a lease',
    what: 'a run that was given up goes on remembering, under the lease of its successor',
    breaks: {
      decide: withEvents((event, row) => (event.kind === 'recorded' ? underLeaseOf(event, row) : event)),
    },
    scenario: 'steps that are remembered',
    caughtBy: ['S4'],
  },
  {
    name: 'a repeated write does not look',
    what: 'what a run wrote on its way is written once more when its reply was lost, without a look for what is there',
    breaks: { decide: withEvents(asIfNotRepeated) },
    scenario: 'steps that are remembered',
    caughtBy: ['assertion'],
  },
  {
    name: 'left without a lease',
    what: 'a run that was given up takes its successor off the row, to wait in its place',
    breaks: {
      decide: withEvents((event, row) => (event.kind === 'suspended' ? underLeaseOf(event, row) : event)),
    },
    scenario: 'a sleep',
    caughtBy: ['S4'],
  },
  {
    name: 'a sleep is too long',
    what: 'an execution that sleeps is due as late as one that waits for something outside',
    breaks: {
      decide: withUpdates(({ update, event }) =>
        event?.kind === 'suspended' ? { ...update, startAt: FAR_OFF } : update,
      ),
    },
    scenario: 'a sleep',
    caughtBy: ['S21'],
  },
  {
    name: 'waiting is counted as a loss',
    what: 'each time that a run is left it counts as lost, so that what waits often is given up',
    breaks: {
      decide: withUpdates(({ before, update, event }) =>
        event?.kind === 'suspended' ? { ...update, losses: (before.losses ?? 0) + 1 } : update,
      ),
    },
    scenario: 'a sleep',
    caughtBy: ['S7'],
  },
  {
    name: 'left without a look for signals',
    what: 'a run is left for a signal without a look for whether it has come meanwhile',
    breaks: { decide: withNothingKnownTo('suspended') },
    scenario: 'two signals of one name',
    caughtBy: ['S21'],
  },
  {
    name: 'a signal wakes nobody',
    what: 'a signal is kept, and its execution goes on waiting',
    breaks: {
      decide: withUpdates(({ update, event }) =>
        event?.kind === 'signalled' ? { updatedAt: update.updatedAt } : update,
      ),
    },
    scenario: 'two signals of one name',
    caughtBy: ['S21'],
  },
  {
    name: 'nobody is woken where waits are not kept',
    what: 'where the storage does not keep what rows wait for, they are taken for retries and left alone',
    breaks: {
      decide: withUpdates(({ update, event }) =>
        event?.kind === 'signalled' ? { updatedAt: update.updatedAt } : update,
      ),
    },
    scenario: "durable code on the contract's fields only",
    caughtBy: ['L5'],
  },
  {
    name: 'left without a look for children',
    what: 'a run is left for its children without a look for whether they have ended meanwhile',
    breaks: { decide: withNothingKnownTo('suspended') },
    scenario: 'a child that code awaits',
    caughtBy: ['S21'],
  },
  {
    name: 'awaited children are not listed',
    what: 'children that code starts do not come into the list of their parent, which cascades read',
    breaks: {
      decide: withUpdates(({ update, event }) => {
        const { childrenTasks: _1, childrenTasksCount: _2, ...rest } = update
        return event?.kind === 'recorded' || event?.kind === 'suspended' ? rest : update
      }),
    },
    scenario: 'a child that code awaits',
    caughtBy: ['S8'],
  },
  {
    name: 'an awaited child counts as returned',
    what: 'the end of a child that code awaits is counted as if the run had returned it',
    breaks: { decide: afterwards(countAwaited) },
    scenario: 'a child that code awaits',
    caughtBy: ['S9'],
  },
  {
    name: 'an awaited child wakes nobody',
    what: 'the end of a child that code awaits is told to its parent, which goes on waiting',
    breaks: {
      decide: withUpdates(({ before, update, event }) =>
        event === undefined && before.status === 'ready' ? { ...update, startAt: before.startAt } : update,
      ),
    },
    scenario: 'a child that code awaits',
    caughtBy: ['S21'],
  },
  {
    name: 'awaited children are not counted down',
    what: 'a parent that waits for two children is not told of the first one that ends',
    breaks: {
      decide: withUpdates(({ update, event }) => {
        const { suspendedFor: _, ...rest } = update
        return event === undefined && update.suspendedFor !== undefined ? rest : update
      }),
    },
    scenario: 'two children that code awaits',
    caughtBy: ['S21'],
  },
  {
    name: 'closed over children left behind',
    what: 'a run that returned is closed at once, though children that its code started are at work',
    breaks: { isClosingAfterBelow: false },
    scenario: 'a child left behind',
    caughtBy: ['S13'],
  },
  {
    name: 'returned over children at work',
    what: 'a run that returns children is not asked whether others are at work that its code started',
    breaks: { decide: withNothingKnownTo('fanned_out') },
    scenario: 'awaited children and returned ones',
    caughtBy: ['S8'],
  },
]

function asIfNotRepeated(event: OutsideEvent): OutsideEvent {
  return event.kind === 'recorded' || event.kind === 'suspended' ? { ...event, mayExist: false } : event
}

/** The rules, as if of all that an event of that kind asks for nothing were there. */
function withNothingKnownTo(kind: OutsideEvent['kind']): Engine['decide'] {
  return (family, events, rules) => {
    const isMeant = events.some((event) => event.kind === kind)
    const known = { get: () => null } as unknown as typeof rules.known
    return decide(family, events, isMeant ? { ...rules, known } : rules)
  }
}

function countAwaited(...[decision, family]: Parameters<Parameters<typeof afterwards>[0]>): void {
  for (const [executionId, update] of decision.updates) {
    const child = family.rows.get(executionId)
    const parent = family.rows.get(child?.parentTask?.executionId ?? '')
    if (update.isClosed === true && child !== undefined && parent !== undefined && isAwaitedChild(child)) {
      const before = decision.updates.get(parent.executionId)
      const childrenTasksCompletedCount = parent.childrenTasksCompletedCount + 1
      decision.updates.set(parent.executionId, {
        updatedAt: update.updatedAt,
        ...before,
        childrenTasksCompletedCount,
      })
    }
  }
}
