/** Leases, recovery, shutdown, outages, health: the cases of the engine suite over each storage. */

import { LEASE_CASES } from '../../src/testing/conformance/engine/cases-leases.ts'
import { RECOVERY_CASES } from '../../src/testing/conformance/engine/cases-recovery.ts'
import { TRANSACTION_CASES } from '../../src/testing/conformance/engine/cases-transactions.ts'
import { RULES_C } from '../../src/testing/conformance/engine/rules-c.ts'
import { runEngineCases } from './run-cases.ts'

runEngineCases('leases', [...RECOVERY_CASES, ...LEASE_CASES, ...TRANSACTION_CASES], RULES_C, {
  'recovery.losses': 'it does not count losses',
  'recovery.backoff': 'it does not count losses',
  'recovery.max_losses': 'it does not count losses',
  'recovery.max_losses_option': 'it does not count losses',
  'recovery.settle_resets': 'it does not count losses',
})
