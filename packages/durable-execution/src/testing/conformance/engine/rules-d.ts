/** The rules of durable code. */

import { AWAITED_RULES } from './cases-awaited.ts'
import { AWAITED_END_RULES } from './cases-awaited-ends.ts'
import { AWAITED_IN_PARENT_RULES } from './cases-awaited-in-parents.ts'
import { CHANGED_CODE_RULES } from './cases-changed-code.ts'
import { CODE_CRASH_RULES } from './cases-code-crashes.ts'
import { COMPENSATING_RULES } from './cases-compensating.ts'
import { COMPENSATING_END_RULES } from './cases-compensating-ends.ts'
import { CODE_DEADLINE_RULES } from './cases-deadlines-of-code.ts'
import { FAILING_STEP_RULES } from './cases-failing-steps.ts'
import { PARALLEL_STEP_RULES } from './cases-parallel-steps.ts'
import { REFUSED_CALL_RULES } from './cases-refused-calls.ts'
import { SIGNAL_EDGE_RULES } from './cases-refused-signals.ts'
import { REMEMBERING_RULES } from './cases-remembering.ts'
import { SIGNAL_RULES } from './cases-signals.ts'
import { SLEEP_RULES } from './cases-sleeps.ts'
import { STATE_RULES } from './cases-state.ts'
import { STEP_RULES } from './cases-steps.ts'
import { STOPPED_STEP_RULES } from './cases-stopped-steps.ts'
import { STRAY_CALL_RULES } from './cases-stray-calls.ts'
import { PARALLEL_WAIT_RULES } from './cases-parallel-waits.ts'
import { LEAVING_CODE_RULES } from './cases-leaving-code.ts'
import { REFUSED_WRITE_RULES } from './cases-refused-writes.ts'
import { UNDOING_BRANCHES_RULES } from './cases-undoing-branches.ts'
import { SUSPENDED_RULES } from './cases-suspended.ts'
import { TRANSACTION_IN_CODE_RULES } from './cases-transactions-in-code.ts'
import { UNDOING_ALL_RULES } from './cases-undoing-all.ts'
import { UNDOING_AS_IT_WAS_RULES } from './cases-undoing-as-it-was.ts'

export const RULES_D: Record<string, string> = {
  ...STEP_RULES,
  ...PARALLEL_STEP_RULES,
  ...FAILING_STEP_RULES,
  ...STOPPED_STEP_RULES,
  ...STRAY_CALL_RULES,
  ...PARALLEL_WAIT_RULES,
  ...LEAVING_CODE_RULES,
  ...REFUSED_WRITE_RULES,
  ...CODE_CRASH_RULES,
  ...CHANGED_CODE_RULES,
  ...REMEMBERING_RULES,
  ...REFUSED_CALL_RULES,
  ...TRANSACTION_IN_CODE_RULES,
  ...SLEEP_RULES,
  ...SUSPENDED_RULES,
  ...SIGNAL_RULES,
  ...SIGNAL_EDGE_RULES,
  ...STATE_RULES,
  ...AWAITED_RULES,
  ...AWAITED_END_RULES,
  ...AWAITED_IN_PARENT_RULES,
  ...CODE_DEADLINE_RULES,
  ...COMPENSATING_RULES,
  ...UNDOING_ALL_RULES,
  ...UNDOING_AS_IT_WAS_RULES,
  ...UNDOING_BRANCHES_RULES,
  ...COMPENSATING_END_RULES,
}
