/** The rules of leases, recovery, shutdown, outages and health. */

import { TRANSACTION_RULES } from './cases-transactions.ts'

export const RULES_C: Record<string, string> = {
  ...TRANSACTION_RULES,
  'recovery.expired':
    'A row whose lease has lapsed goes back to ready with the error "Task expired"; no retry is counted.',
  'recovery.losses': 'Each lapsed lease counts as one loss of its row.',
  'recovery.cost_is_lease': 'A crash costs the length of the lease, and not more for a long timeout.',
  'recovery.backoff': 'After the first loss a row is due at once, after the n-th in 2^(n-2) seconds, at most a minute.',
  'recovery.max_losses': 'A row that is lost as often in a row as allowed ends failed, not retryable.',
  'recovery.max_losses_option': 'How many losses are allowed says the task, else the executor that sees the last one.',
  'recovery.settle_resets': 'An attempt that ends, however, sets the count of losses to zero.',
  'recovery.any_process': 'Any executor takes lapsed rows back, whether it knows their task or not.',
  'recovery.live_lease': 'A live executor moves the leases of its rows on before they lapse.',
  'unknown.left_alone': 'A task that an executor does not know is not claimed and not failed by it.',

  'lease.written_with_claim': 'A claim writes a lease of expireMs with it; it is there exactly while the row runs.',
  'lease.renewed_every_third': 'All leases of an executor are renewed about every third of expireMs.',
  'lease.failed_renewal_is_unknown': 'A renewal that fails says nothing: the run goes on, and it is tried again.',
  'lease.hung_renewal_is_unknown': 'A renewal that hangs has a time limit, and says nothing either.',
  'lease.local_deadline':
    'A run stops itself when its lease, counted from when the last good renewal was sent, has passed.',
  'lease.fenced': 'An outcome is accepted only under the lease that holds the row.',
  'lease.zombie_cannot_renew': 'A renewal extends only the lease that it was sent for.',
  'lease.later_started_at': 'Each claim of a row has a later startedAt than all before, and a lease id never seen.',
  'lease.one_outcome': 'At most one outcome of an execution is accepted, and what is finished does not change.',
  'lease.during_shutdown': 'Renewal goes on during shutdown until the last run is settled.',
  'lease.one_held_row': 'A row that somebody holds is skipped by renewal, and costs no other row its lease.',

  'transaction.kinds': 'Each transaction of the engine is of a known kind, and faults are tried on each kind.',
}
