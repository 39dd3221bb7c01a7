/** Leases, recovery, shutdown, outages, hints and health: the cases of the engine suite over each storage. */

import { FENCING_CASES } from '../../src/testing/conformance/engine/cases-fencing.ts'
import { HEALTH_CASES } from '../../src/testing/conformance/engine/cases-health.ts'
import { HINT_CASES } from '../../src/testing/conformance/engine/cases-hints.ts'
import { LEASE_CASES } from '../../src/testing/conformance/engine/cases-leases.ts'
import { ONE_ROW_CASES } from '../../src/testing/conformance/engine/cases-one-row.ts'
import { OUTAGE_CASES } from '../../src/testing/conformance/engine/cases-outages.ts'
import { RECOVERY_CASES } from '../../src/testing/conformance/engine/cases-recovery.ts'
import { SHUTDOWN_CASES } from '../../src/testing/conformance/engine/cases-shutdown.ts'
import { STORAGE_USE_CASES } from '../../src/testing/conformance/engine/cases-storage-use.ts'
import { TRANSACTION_CASES } from '../../src/testing/conformance/engine/cases-transactions.ts'
import { RULES_C } from '../../src/testing/conformance/engine/rules-c.ts'
import { runEngineCases } from './run-cases.ts'

const CASES = [
  ...RECOVERY_CASES,
  ...LEASE_CASES,
  ...FENCING_CASES,
  ...TRANSACTION_CASES,
  ...OUTAGE_CASES,
  ...ONE_ROW_CASES,
  ...SHUTDOWN_CASES,
  ...HINT_CASES,
  ...HEALTH_CASES,
  ...STORAGE_USE_CASES,
]

runEngineCases('leases', CASES, RULES_C, {
  'recovery.losses': 'it does not count losses',
  'recovery.backoff': 'it does not count losses',
  'recovery.max_losses': 'it does not count losses',
  'recovery.max_losses_option': 'it does not count losses',
  'recovery.settle_resets': 'it does not count losses',
})
