/** What a round was like, in numbers. */

import { type Disturbance, type DisturbanceKind, type Evidence } from './check.ts'
import { isStandstill } from './ledger.ts'

export type Figures = {
  seed: number
  enqueued: number
  executions: number
  /** The depth of the deepest row; a root has 1, and a finalize execution is one below its parent. */
  deepest: number
  starts: number
  kills: number
  stalls: number
  restarts: number
  deploys: number
  joins: number
  leaves: number
  disconnects: number
  locks: number
  outages: number
  /** How often a process said that it could do nothing for a while: what is excused by that. */
  standstills: number
  /** Starts beyond the first of an attempt: what kills and stalls have cost. */
  repeatedStarts: number
  cancelled: number
  refused: number
  /** How often all rows were read while the round went on. */
  looks: number
  seconds: number
  /** Executions a second. */
  rate: number
}

export type Counted = Pick<Figures, 'seed' | 'refused' | 'looks' | 'seconds'> & {
  /** What was done on purpose; the evidence also has what the machine did. */
  strikes: ReadonlyArray<Disturbance>
}

export function figuresOf(evidence: Evidence, { seed, refused, looks, seconds, strikes }: Counted): Figures {
  const starts = evidence.ledger.filter(({ what }) => what === 'start')
  const attempts = new Set(starts.map(({ executionId, attempt }) => `${executionId} ${attempt}`))
  const count = (kind: DisturbanceKind): number => strikes.filter((one) => one.kind === kind).length
  return {
    seed,
    enqueued: evidence.acknowledged.length,
    executions: evidence.rows.length,
    deepest: evidence.rows.reduce((deepest, { depth = 0 }) => Math.max(deepest, depth), 0),
    starts: starts.length,
    kills: count('kill'),
    stalls: count('stall'),
    restarts: count('restart'),
    deploys: count('deploy'),
    joins: count('join'),
    leaves: count('leave'),
    disconnects: count('disconnect'),
    locks: count('lock'),
    outages: count('outage'),
    standstills: evidence.ledger.filter(isStandstill).length,
    repeatedStarts: starts.length - attempts.size,
    cancelled: evidence.cancels.filter(({ hasCancelled }) => hasCancelled).length,
    refused,
    looks,
    seconds: Math.round(seconds * 10) / 10,
    rate: Math.round(evidence.rows.length / seconds),
  }
}
