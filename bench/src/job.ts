/** What a process of its own is given to measure. */

import { type EngineName, type GrowthPart, type WorkloadName } from './names.ts'

/** How much is measured. */
export type Amounts = {
  /** No-op tasks of a throughput run. */
  tasks: number
  /** Tasks that warm the process up before; 0 for figures of a cold one. */
  warm: number
  /** How long an idle engine is watched. */
  idleSeconds: number
  /** Finished rows of the growth test. */
  rows: number
}

export type Job = {
  amounts: Amounts
  /** Where the engine keeps its work: a folder, a connection string, a URL, or nothing. */
  place: string
  /** The process of the server, for its CPU time. */
  serverPid: number | undefined
} & (
  | { kind: 'workload'; engine: EngineName; test: WorkloadName; floorPlace: string }
  | { kind: 'limit'; storage: LimitedStorage }
  | { kind: 'growth'; engine: EngineName; part: GrowthPart; otherPlace: string }
)

/** The storages whose own limit is measured beside the engines. */
export type LimitedStorage = 'file' | 'postgres'
