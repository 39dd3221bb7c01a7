/** The rules of durable code. */

import { AWAITED_RULES } from './cases-awaited.ts'
import { COMPENSATING_RULES } from './cases-compensating.ts'
import { UNDOING_ALL_RULES } from './cases-undoing-all.ts'
import { SLEEP_RULES } from './cases-sleeps.ts'
import { STEP_RULES } from './cases-steps.ts'
import { TRANSACTION_IN_CODE_RULES } from './cases-transactions-in-code.ts'

export const RULES_D: Record<string, string> = {
  ...STEP_RULES,
  ...TRANSACTION_IN_CODE_RULES,
  ...SLEEP_RULES,
  ...AWAITED_RULES,
  ...COMPENSATING_RULES,
  ...UNDOING_ALL_RULES,
}
