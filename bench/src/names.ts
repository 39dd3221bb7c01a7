/** The names that the command knows: engines, tests, and the parts of the growth test. */

export const OURS = ['ours:memory', 'ours:sqlite', 'ours:postgres'] as const

const PEERS = ['graphile-worker', 'pg-boss', 'dbos', 'openworkflow', 'bullmq', 'absurd'] as const

export const ENGINES = [...OURS, ...PEERS] as const

/** All but growth, which takes many minutes and measures our own engines only. */
export const USUAL_TESTS = ['throughput', 'latency', 'steps', 'fanout', 'idle'] as const

export const TESTS = [...USUAL_TESTS, 'growth'] as const

export const GROWTH_PARTS = ['finished-rows', 'fan-out', 'chain', 'payload', 'processes'] as const

export type EngineName = (typeof ENGINES)[number]
export type TestName = (typeof TESTS)[number]
/** The tests that an engine takes part in by the workloads that all share; growth has scripts of its own. */
export type WorkloadName = (typeof USUAL_TESTS)[number]
export type GrowthPart = (typeof GROWTH_PARTS)[number]

export function isPeer(name: EngineName): boolean {
  return PEERS.some((peer) => peer === name)
}
