/** The public kit for tests: `durable-execution/testing`. Nothing in the engine imports it. */

export { type Clock, type Millis, type Timer } from '../base/clock.ts'
export { type Doors } from '../base/doors.ts'
export { type IdSource } from '../base/ids.ts'
export { type Random } from '../base/random.ts'
export {
  checkHistory,
  checkStep,
  checkWorld,
  type InvariantId,
  INVARIANTS,
  type Violation,
} from '../machine/invariants.ts'
export { createTestClock, type TestClock } from './clock.ts'
export { type TestLogLine } from './collected-logs.ts'
export { type ConformanceCase, type ConformanceNeed, type ConformanceWorld } from './conformance/case.ts'
export {
  type EngineConformanceOptions,
  runEngineConformance,
} from './conformance/engine/run-engine-conformance.ts'
export {
  type ConformancePlace,
  runStorageConformance,
  storageConformanceCases,
  type StorageConformanceOptions,
} from './conformance/storage-conformance.ts'
export { crashEverywhere, type CrashEverywhereOptions, type CrashReport } from './crash-everywhere.ts'
export { type CrashPoint } from './crash/crash-point.ts'
export { type CrashTaskDefinition } from './crash/crash-world.ts'
export { CrashDifferenceError } from './crash/difference-error.ts'
export { type CrashOutcome } from './crash/outcome.ts'
export { type Outside, type OutsideEffect } from './crash/outside.ts'
export {
  createFaultyStorage,
  type FaultyStorage,
  type StorageFault,
  StorageFaultError,
  type TransactionTrace,
} from './faults.ts'
export { hideOptionalMembers } from './hide-optional-members.ts'
export { TestKitError } from './kit-error.ts'
export { type SimViolation } from './simulate/observer.ts'
export { type SimDeed, type SimPlan, type SimWish } from './simulate/plan.ts'
export { explainSimulation, type SimFailure, simulate } from './simulate/simulate.ts'
export { type SimResult } from './simulate/simulation.ts'
export { createTestExecutor, type TestExecutor, type TestExecutorOptions } from './test-executor.ts'
export { withDoors } from './with-doors.ts'
