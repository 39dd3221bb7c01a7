/** The rules of leases, recovery, shutdown, outages and health. */

import { APART_RULES } from './cases-apart.ts'
import { TRANSACTION_RULES } from './cases-transactions.ts'

export const RULES_C: Record<string, string> = {
  ...TRANSACTION_RULES,
  ...APART_RULES,
  'recovery.expired':
    'A row whose lease has lapsed goes back to ready with the error "Task expired"; no retry is counted.',
  'recovery.losses': 'Each lapsed lease counts as one loss of its row.',
  'recovery.cost_is_lease': 'A crash costs the length of the lease, and not more for a long timeout.',
  'recovery.backoff':
    'After the first loss a row is due at once, after the n-th in 2^(n-2) seconds, at most a minute.',
  'recovery.max_losses': 'A row that is lost as often in a row as allowed ends failed, not retryable.',
  'recovery.max_losses_option':
    'How many losses are allowed says the task, else the executor that sees the last one.',
  'recovery.settle_resets': 'An attempt that ends, however, sets the count of losses to zero.',
  'recovery.any_process': 'Any executor takes lapsed rows back, whether it knows their task or not.',
  'recovery.live_lease': 'A live executor moves the leases of its rows on before they lapse.',
  'unknown.left_alone': 'A task that an executor does not know is not claimed and not failed by it.',

  'lease.written_with_claim':
    'A claim writes a lease of expireMs with it; it is there exactly while the row runs.',
  'lease.renewed_every_third': 'All leases of an executor are renewed about every third of expireMs.',
  'lease.renewed_together': 'One renewal serves all runs of an executor.',
  'lease.failed_renewal_is_unknown':
    'A renewal that fails says nothing: the run goes on, and it is tried again.',
  'lease.hung_renewal_is_unknown': 'A renewal that hangs has a time limit, and says nothing either.',
  'lease.local_deadline':
    'A run stops itself when its lease, counted from when the last good renewal was sent, has passed.',
  'lease.fenced': 'An outcome is accepted only under the lease that holds the row.',
  'lease.zombie_cannot_renew': 'A renewal extends only the lease that it was sent for.',
  'lease.none_begins_late': 'A claim that is answered when its lease must be believed lapsed begins nothing.',
  'lease.later_started_at':
    'Each claim of a row has a later startedAt than all before, and a lease id never seen.',
  'lease.one_outcome':
    'At most one outcome of an execution is accepted, and what is finished does not change.',
  'lease.during_shutdown': 'Renewal goes on during shutdown until the last run is settled.',
  'lease.one_held_row': 'A row that somebody holds is skipped by renewal, and costs no other row its lease.',

  'transaction.kinds':
    'Each transaction of the engine is of a known kind, and faults are tried on each kind.',

  'errors.user_tries':
    'A call of the user’s tries a transaction five times within two seconds, then rejects with the storage’s own error.',
  'errors.user_recovers': 'A call of the user’s succeeds when one of its tries does.',
  'errors.non_retryable': 'A non-retryable error of ours is passed on after the first try.',
  'errors.sync_throw': 'A withTransaction that throws is treated like one that rejects.',
  'errors.replaced': 'The function withTransaction is looked up at each call.',
  'errors.unknown_insert': 'An insert whose commit was unknown and whose own id is found is a success.',
  'errors.one_insert_of_many': 'Inserts that share a transaction do not fail each other.',
  'errors.outage_is_no_loss':
    'What could not be kept through an outage is given back when the storage answers again; recovery leaves half a lease for that.',
  'errors.outage_hides_no_death':
    'What a process held that died during an outage is taken back after that time.',
  'errors.outage':
    'Background work outlasts an outage of any length and goes on within seconds; no failure is recorded.',
  'errors.hung_calls': 'A call that never returns is given up after its time limit, and no loop ends by it.',
  'settle.kept_through_outage':
    'With the storage away an outcome is kept and tried again until the local deadline.',
  'settle.dropped_after_lapse':
    'An outcome whose lease must be believed lapsed is dropped, and the log says so.',
  'settle.outage_convicts_nobody':
    'An error of the moment, a broken connection or a conflict, says nothing against an outcome.',
  'settle.one_row_fails_alone':
    'An outcome that cannot be stored while its row can be touched ends the attempt failed, and no other one.',
  'settle.blocked_is_not_failed': 'A lock or a lost connection is never recorded as the failure of a task.',
  'recovery.one_row_fails_alone': 'A row that cannot be taken back does not hold up the others.',
  'close.looks_past_the_stuck': 'Rows that cannot be closed do not hide those behind them.',
  'close.one_row_fails_alone': 'A row that cannot be cancelled or closed does not hold up the others.',
  'shutdown.refusals':
    'From shutdown on new tasks, enqueues and starts are refused with "Executor shutdown".',
  'shutdown.waits': 'Shutdown fires shutdownSignal, takes nothing new, and waits for what runs.',
  'shutdown.waits_without_limit': 'Without graceMs the wait has no limit.',
  'shutdown.grace':
    'After graceMs cancelSignal fires; a second later the rows are ready again, attempts and losses unchanged.',
  'shutdown.obedient_run': 'A run that stops because it is told to is unfinished, not failed.',
  'shutdown.finished_in_grace':
    'A run that still returns after it was told to stop has its outcome accepted.',
  'shutdown.bounded':
    'With graceMs shutdown resolves within graceMs and two seconds, whatever the storage does.',
  'shutdown.claim_in_flight': 'A claim that is answered, or found, after shutdown began is given back unrun.',
  'shutdown.twice': 'A second shutdown is harmless.',
  'shutdown.never_started': 'An executor that was never started can be shut down.',
  'shutdown.handles': 'Handles keep working after shutdown, and the storage is not closed.',
  'start.once': 'A second start changes nothing.',
  'start.at_once': 'Start resolves as soon as the executor runs.',
  'hints.cancel': 'A cancel that is committed fires the run’s signal at once where hints are.',
  'cancel.seen_within_a_second': 'A process that runs something asks once a second whether it was cancelled.',
  'hints.waiter': 'A waiter is told at once where the storage can notify.',
  'hints.seldom_looks':
    'Where the storage hints, an idle executor looks seldom, and still begins at once what others enqueue.',
  'hints.only_while_wanted': 'The storage is listened to only while somebody has a use for hints.',
  'hints.may_fail': 'Hints may be lost: whatever becomes of them, the work goes on.',
  'hints.listened_to_again': 'Listening that failed is tried again.',
  'clock.of_the_storage': 'Instants come from the storage’s clock where it has one.',
  'clock.two_machines': 'With the storage’s clock the clocks of machines need not agree.',
  'clock.unknown': 'While the storage’s clock was never read, an executor takes nothing.',
  'clock.jumps':
    'Durations and timers do not depend on the time of day, and a claim is never earlier than one before.',
  'clock.jump_is_no_loss':
    'A clock that jumps, or a machine that was asleep, takes nothing from runs that are alive.',
  'health.ok': 'Without a problem health is ok, and names none.',
  'health.storage': 'Health says when the storage has not answered for three poll intervals, and since when.',
  'health.silent_loop': 'Health names a loop that is silent.',
  'health.clock': 'Health names a clock that is off by more than a third of expireMs.',
  'health.disk_full': 'Health says that the disk is full.',
  'health.stuck_closing': 'Health names a closing that is stuck behind a task nobody knows.',
  'storage.no_empty_list': 'The engine never calls with an empty id list or limit 0.',
  'storage.no_nesting': 'The engine opens no transaction inside another.',
  'storage.one_call':
    'Where the engine promises one call in a transaction it makes one, whatever the storage offers.',
  'storage.any_order': 'The engine is correct under any order of answers.',
  'early.two_transactions':
    'What an executor enqueues begins with its insert where a slot is free and nothing else is due.',
  'early.after_commit': 'What begins with its insert begins once that is committed.',
  'early.unknown_commit': 'An insert of unknown outcome is looked up, and what it wrote runs once.',
  'early.later_try': 'Only what the first try of an insert wrote counts as claimed by it.',
  'early.is_recovered': 'What began with its insert is recovered like anything else.',
  'early.passes_nobody': 'What begins with its insert overtakes nothing that is due.',
  'early.slots_of_claimed': 'What was claimed keeps its slots until it has started.',
  'early.slots': 'What begins with its insert takes slots like anything else.',
  'claim.free_slots': 'At most as many rows are claimed as there are free slots.',
  'claim.earliest_first': 'Rows are claimed in the order in which they are due.',
  'claim.after_commit': 'Nothing of the user’s runs before the commit of its claim is acknowledged.',
  'claim.not_before_due':
    'Nothing runs before its startAt, and a timer is set for what is due before the next poll.',
  'claim.waits_for_old_function':
    'A retry is claimed by the same process only when the old function has ended or a second has passed.',
}
