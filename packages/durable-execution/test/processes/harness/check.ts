/** Judges a round by what is left of it: the rows, the ledger, and what the processes were done to. */

import { type LedgerLine } from './ledger.ts'
import { checkEnds, checkCancels, checkLosses, checkOutcomes, checkTrees } from './check-rows.ts'
import { checkStarts } from './check-starts.ts'
import { type ExecutionRow } from '../../../src/machine/execution.ts'
import { type Version } from './tasks.ts'

/** An enqueue that the engine acknowledged. */
export type Acknowledged = { executionId: string; taskId: string; input: number; sleepMs: number }

/** A cancel that the engine answered. */
export type CancelAnswer = { executionId: string; hasCancelled: boolean }

/** A finished execution as it was seen at some moment of the round. */
export type Sighting = Pick<ExecutionRow, 'executionId' | 'status'> &
  Record<'output', ExecutionRow['output'] | undefined> &
  Record<'error', ExecutionRow['error'] | undefined> &
  Record<'finishedAt', ExecutionRow['finishedAt'] | undefined>

/** Something that was done to a process, or to all: from then until then it could not keep its leases. */
export type Disturbance = {
  kind: 'kill' | 'stall' | 'restart' | 'disconnect'
  /** Undefined: whoever ran at the time. */
  pid: number | undefined
  at: number
}

/** All that a round left behind. */
export type Evidence = {
  rows: ReadonlyArray<ExecutionRow>
  ledger: ReadonlyArray<LedgerLine>
  acknowledged: ReadonlyArray<Acknowledged>
  cancels: ReadonlyArray<CancelAnswer>
  sightings: ReadonlyArray<Sighting>
  disturbances: ReadonlyArray<Disturbance>
  /** Which code each process ran. */
  versions: ReadonlyMap<number, Version>
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
  | 'unknown tasks are left alone'
  | 'what is completed has run'

export type Finding = { promise: Promised; executionId: string; sentence: string }

export type Report = (promise: Promised, executionId: string, sentence: string) => void

/** All that is wrong with a round. */
export function check(evidence: Evidence): Array<Finding> {
  const findings: Array<Finding> = []
  const report: Report = (promise, executionId, sentence) => findings.push({ promise, executionId, sentence })
  checkLosses(evidence, report)
  checkOutcomes(evidence, report)
  checkTrees(evidence, report)
  checkCancels(evidence, report)
  checkEnds(evidence, report)
  checkStarts(evidence, report)
  return findings
}
