/** Judges a round by what is left of it: the rows, the ledger, and what the processes were done to. */

import { type LedgerLine } from './ledger.ts'
import { checkCancels, checkEnds, checkLosses, checkOutcomes, checkUnknown } from './check-rows.ts'
import { checkCode } from './check-code.ts'
import { checkStarts } from './check-starts.ts'
import { checkTrees } from './check-trees.ts'
import { type ExecutionRow } from '../../../src/machine/execution.ts'
import { type Version } from './tasks.ts'

/** An enqueue that the engine acknowledged. */
export type Acknowledged = { executionId: string; taskId: string; input: number; sleepMs: number }

/** A cancel that the engine answered, after so many tries that it did not. */
export type CancelAnswer = { executionId: string; hasCancelled: boolean; refusals: number }

/** A finished execution as it was seen at some moment of the round. */
export type Sighting = Pick<ExecutionRow, 'executionId' | 'status'> &
  Record<'output', ExecutionRow['output'] | undefined> &
  Record<'error', ExecutionRow['error'] | undefined> &
  Record<'finishedAt', ExecutionRow['finishedAt'] | undefined>

/** What can be done to a process, to all of them, or to the storage below them. */
export type DisturbanceKind =
  | 'kill'
  | 'stall'
  | 'restart'
  | 'deploy'
  | 'join'
  | 'leave'
  | 'disconnect'
  | 'lock'
  | 'outage'

/** Something that was done: from then until then a process could not keep its leases. */
export type Disturbance = {
  kind: DisturbanceKind
  /** Undefined: whoever ran at the time. */
  pid: number | undefined
  at: number
  /** When it was over; the same as `at` where it took no time. */
  until: number
}

/** All that a round left behind. */
export type Evidence = {
  rows: ReadonlyArray<ExecutionRow>
  /** What durable code remembers. */
  records: ReadonlyArray<ExecutionRow>
  ledger: ReadonlyArray<LedgerLine>
  acknowledged: ReadonlyArray<Acknowledged>
  cancels: ReadonlyArray<CancelAnswer>
  sightings: ReadonlyArray<Sighting>
  disturbances: ReadonlyArray<Disturbance>
  /** Which code each process ran. */
  versions: ReadonlyMap<number, Version>
  /** What was found wrong at looks while the round went on. */
  history: ReadonlyArray<Finding>
  /** How far ahead of the machine's clock that of a process was, where rows get their times from it. */
  offsets: ReadonlyMap<number, number>
  /** How far apart two times may be that are the same, for rows written by processes with different clocks. */
  clockSlackMs: number
}

/** The promises that a round can break. */
export type Promised =
  | 'nothing is lost'
  | 'nothing is stuck'
  | 'the rows agree with each other'
  | 'one outcome'
  | 'each parent is finalized once'
  | 'starts are explained'
  | 'nothing runs before its time'
  | 'nothing runs after its outcome'
  | 'cancel sticks'
  | 'outputs are right'
  | 'outputs are in order'
  | 'nothing goes back'
  | 'nothing is left below what ended badly'
  | 'unknown tasks are left alone'
  | 'what is completed has run'
  | 'what ended badly is undone'

export type Finding = { promise: Promised; executionId: string; sentence: string }

export type Report = (promise: Promised, executionId: string, sentence: string) => void

/** All that is wrong with a round. */
export function check(evidence: Evidence): Array<Finding> {
  const findings: Array<Finding> = [...evidence.history]
  const report: Report = (promise, executionId, sentence) => findings.push({ promise, executionId, sentence })
  checkLosses(evidence, report)
  checkOutcomes(evidence, report)
  checkTrees(evidence, report)
  checkCancels(evidence, report)
  checkEnds(evidence, report)
  checkUnknown(evidence, report)
  checkStarts(evidence, report)
  checkCode(evidence, report)
  return findings
}
