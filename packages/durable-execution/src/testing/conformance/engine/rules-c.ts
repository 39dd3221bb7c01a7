/** The rules of leases, recovery, shutdown, outages and health. */

export const RULES_C: Record<string, string> = {
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
}
