/** The whole engine over a storage: every rule of tasks, trees and leases, each shown by at least one case. */

import { type EngineConformanceCase } from './case.ts'
import { AWAITED_END_CASES } from './cases-awaited-ends.ts'
import { AWAITED_CASES } from './cases-awaited.ts'
import { CHANGED_CODE_CASES } from './cases-changed-code.ts'
import { COMPENSATING_CASES } from './cases-compensating.ts'
import { FAILING_STEP_CASES } from './cases-failing-steps.ts'
import { REMEMBERING_CASES } from './cases-remembering.ts'
import { SIGNAL_CASES } from './cases-signals.ts'
import { SLEEP_CASES } from './cases-sleeps.ts'
import { STATE_CASES } from './cases-state.ts'
import { STEP_CASES } from './cases-steps.ts'
import { CODE_CRASH_CASES } from './cases-code-crashes.ts'
import { PARALLEL_STEP_CASES } from './cases-parallel-steps.ts'
import { STOPPED_STEP_CASES } from './cases-stopped-steps.ts'
import { STRAY_CALL_CASES } from './cases-stray-calls.ts'
import { PARALLEL_WAIT_CASES } from './cases-parallel-waits.ts'
import { LEAVING_CODE_CASES } from './cases-leaving-code.ts'
import { REFUSED_WRITE_CASES } from './cases-refused-writes.ts'
import { UNDOING_BRANCHES_CASES } from './cases-undoing-branches.ts'
import { REFUSED_CALL_CASES } from './cases-refused-calls.ts'
import { CODE_DEADLINE_CASES } from './cases-deadlines-of-code.ts'
import { AWAITED_IN_PARENT_CASES } from './cases-awaited-in-parents.ts'
import { COMPENSATING_END_CASES } from './cases-compensating-ends.ts'
import { SIGNAL_EDGE_CASES } from './cases-refused-signals.ts'
import { SUSPENDED_CASES } from './cases-suspended.ts'
import { APART_CASES } from './cases-apart.ts'
import { ATTEMPT_CASES } from './cases-attempts.ts'
import { CANCELLED_RUNS_CASES } from './cases-cancelled-runs.ts'
import { CANCELLING_CASES } from './cases-cancelling.ts'
import { CASCADE_CASES } from './cases-cascade.ts'
import { CHILDREN_POLICY_CASES } from './cases-children-policies.ts'
import { CLOSING_CASES } from './cases-closing.ts'
import { TREE_DEADLINE_CASES } from './cases-deadlines-of-trees.ts'
import { DEADLINE_CASES, DEADLINE_RULES } from './cases-deadlines.ts'
import { DEFINITION_CASES } from './cases-definitions.ts'
import { DIFFERENCE_CASES } from './cases-differences.ts'
import { DUE_MOMENT_CASES } from './cases-due-moments.ts'
import { EARLY_START_CASES } from './cases-early-start.ts'
import { ENQUEUE_MANY_CASES } from './cases-enqueue-many.ts'
import { EXECUTOR_OPTION_CASES } from './cases-executor-options.ts'
import { FAILING_CHILDREN_CASES } from './cases-failing-children.ts'
import { FAN_OUT_CASES } from './cases-fan-out.ts'
import { FENCING_CASES } from './cases-fencing.ts'
import { FINALIZE_CASES } from './cases-finalize.ts'
import { HANDLE_CASES } from './cases-handles.ts'
import { HEALTH_CASES } from './cases-health.ts'
import { CLOCK_CASES } from './cases-clocks.ts'
import { HINT_CASES } from './cases-hints.ts'
import { INPUT_CASES } from './cases-inputs.ts'
import { KEY_CASES } from './cases-keys.ts'
import { KNOWN_TASKS_CASES } from './cases-known-tasks.ts'
import { LEASE_CASES } from './cases-leases.ts'
import { LIMIT_CASES } from './cases-limits.ts'
import { LONG_DELAY_CASES } from './cases-long-delays.ts'
import { NESTED_FINALIZE_CASES } from './cases-nested-finalize.ts'
import { OBSERVING_CASES } from './cases-observing.ts'
import { ONE_ROW_CASES } from './cases-one-row.ts'
import { OUTAGE_CASES } from './cases-outages.ts'
import { PARENT_CASES } from './cases-parents.ts'
import { PRIORITY_CASES } from './cases-priority.ts'
import { RECOVERY_CASES } from './cases-recovery.ts'
import { REFUSED_CHILDREN_CASES } from './cases-refused-children.ts'
import { RETRY_CASES } from './cases-retries.ts'
import { RIVAL_KEY_CASES } from './cases-rival-keys.ts'
import { RUN_TASK_CASES } from './cases-run-task.ts'
import { SEQUENCE_CASES } from './cases-sequences.ts'
import { SHUTDOWN_CASES } from './cases-shutdown.ts'
import { START_AT_TAGS_CASES } from './cases-start-at-tags.ts'
import { STORAGE_USE_CASES } from './cases-storage-use.ts'
import { TASK_ID_CASES } from './cases-task-ids.ts'
import { TIMEOUT_CASES } from './cases-timeouts.ts'
import { TOLERATED_FAILURES_CASES } from './cases-tolerated-failures.ts'
import { UNDOING_ALL_CASES } from './cases-undoing-all.ts'
import { UNDOING_AS_IT_WAS_CASES } from './cases-undoing-as-it-was.ts'
import { TRANSACTION_CASES } from './cases-transactions.ts'
import { TRANSACTION_BESIDE_CASES } from './cases-transactions-beside.ts'
import { TRANSACTION_IN_CODE_CASES } from './cases-transactions-in-code.ts'
import { TREE_SAFETY_CASES } from './cases-tree-safety.ts'
import { UNDONE_TRANSACTION_CASES } from './cases-undone-transactions.ts'
import { VIEW_CASES } from './cases-views.ts'
import { WAITING_CASES } from './cases-waiting.ts'
import { RULES_A } from './rules-a.ts'
import { RULES_B } from './rules-b.ts'
import { RULES_D } from './rules-d.ts'
import { RULES_C } from './rules-c.ts'

/** Rules that belong together, and the cases that show them. */
export type EngineTheme = {
  title: string
  rules: Readonly<Record<string, string>>
  cases: ReadonlyArray<EngineConformanceCase>
  /** Rules that a storage cannot keep which drops the optional fields of a row, each with the reason. */
  needsOptionalFields: Readonly<Record<string, string>>
}

const TASKS_AND_ATTEMPTS: EngineTheme = {
  title: 'tasks and attempts',
  rules: RULES_A,
  cases: [
    ...TASK_ID_CASES,
    ...DEFINITION_CASES,
    ...INPUT_CASES,
    ...ENQUEUE_MANY_CASES,
    ...START_AT_TAGS_CASES,
    ...KEY_CASES,
    ...RIVAL_KEY_CASES,
    ...PRIORITY_CASES,
    ...ATTEMPT_CASES,
    ...RETRY_CASES,
    ...TIMEOUT_CASES,
    ...DEADLINE_CASES,
    ...TREE_DEADLINE_CASES,
    ...LONG_DELAY_CASES,
    ...LIMIT_CASES,
    ...SEQUENCE_CASES,
    ...OBSERVING_CASES,
    ...EXECUTOR_OPTION_CASES,
    ...VIEW_CASES,
    ...DIFFERENCE_CASES,
  ],
  needsOptionalFields: {
    'difference.losses_counted': 'the count of losses is not among the fields it keeps',
    'priority.order': 'the priority is not among the fields it keeps',
    'priority.below': 'the priority is not among the fields it keeps',
    'priority.shown': 'the priority is not among the fields it keeps',
    'limit.depth': 'how deep a row is is not among the fields it keeps',
    'tags.kept': 'tags are not among the fields it keeps',
    ...Object.fromEntries(
      Object.keys(DEADLINE_RULES)
        .filter((rule) => rule !== 'deadline.valid')
        .map((rule) => [rule, 'the deadline is not among the fields it keeps']),
    ),
    'sequence.long': 'it reads all of its rows at each call, which takes too long with two hundred',
  },
}

const TREES: EngineTheme = {
  title: 'trees',
  rules: RULES_B,
  cases: [
    ...FAN_OUT_CASES,
    ...PARENT_CASES,
    ...REFUSED_CHILDREN_CASES,
    ...FAILING_CHILDREN_CASES,
    ...CHILDREN_POLICY_CASES,
    ...TOLERATED_FAILURES_CASES,
    ...FINALIZE_CASES,
    ...NESTED_FINALIZE_CASES,
    ...CLOSING_CASES,
    ...KNOWN_TASKS_CASES,
    ...CANCELLING_CASES,
    ...CANCELLED_RUNS_CASES,
    ...CASCADE_CASES,
    ...HANDLE_CASES,
    ...WAITING_CASES,
    ...RUN_TASK_CASES,
    ...TREE_SAFETY_CASES,
  ],
  needsOptionalFields: {},
}

const LEASES: EngineTheme = {
  title: 'leases',
  rules: RULES_C,
  cases: [
    ...RECOVERY_CASES,
    ...APART_CASES,
    ...LEASE_CASES,
    ...FENCING_CASES,
    ...TRANSACTION_CASES,
    ...OUTAGE_CASES,
    ...ONE_ROW_CASES,
    ...SHUTDOWN_CASES,
    ...HINT_CASES,
    ...CLOCK_CASES,
    ...DUE_MOMENT_CASES,
    ...HEALTH_CASES,
    ...STORAGE_USE_CASES,
    ...EARLY_START_CASES,
  ],
  needsOptionalFields: {
    'recovery.losses': 'it does not count losses',
    'recovery.backoff': 'it does not count losses',
    'recovery.max_losses': 'it does not count losses',
    'recovery.max_losses_option': 'it does not count losses',
    'recovery.settle_resets': 'it does not count losses',
    'apart.one_at_a_time': 'it does not count losses',
    'apart.each_gets_its_turn': 'it does not count losses',
    'apart.others_go_on': 'it does not count losses',
    'apart.given_back_first': 'it does not count losses',
    'apart.once': 'it does not count losses',
  },
}

const DURABLE_CODE: EngineTheme = {
  title: 'durable code',
  rules: RULES_D,
  cases: [
    ...STEP_CASES,
    ...PARALLEL_STEP_CASES,
    ...FAILING_STEP_CASES,
    ...STOPPED_STEP_CASES,
    ...STRAY_CALL_CASES,
    ...PARALLEL_WAIT_CASES,
    ...LEAVING_CODE_CASES,
    ...REFUSED_WRITE_CASES,
    ...CODE_CRASH_CASES,
    ...CHANGED_CODE_CASES,
    ...REMEMBERING_CASES,
    ...REFUSED_CALL_CASES,
    ...TRANSACTION_IN_CODE_CASES,
    ...UNDONE_TRANSACTION_CASES,
    ...TRANSACTION_BESIDE_CASES,
    ...SLEEP_CASES,
    ...SUSPENDED_CASES,
    ...SIGNAL_CASES,
    ...SIGNAL_EDGE_CASES,
    ...STATE_CASES,
    ...AWAITED_CASES,
    ...AWAITED_END_CASES,
    ...AWAITED_IN_PARENT_CASES,
    ...CODE_DEADLINE_CASES,
    ...COMPENSATING_CASES,
    ...COMPENSATING_END_CASES,
    ...UNDOING_ALL_CASES,
    ...UNDOING_AS_IT_WAS_CASES,
    ...UNDOING_BRANCHES_CASES,
  ],
  needsOptionalFields: {
    'awaited.priority': 'the priority is not among the fields it keeps',
    'compensation.inherits': 'the priority is not among the fields it keeps',
    'code.deadline': 'the deadline is not among the fields it keeps',
    'code.deadline_below': 'the deadline is not among the fields it keeps',
    'code.deadline_undone': 'the deadline is not among the fields it keeps',
  },
}

/** All themes of the engine suite. */
export const ENGINE_THEMES: ReadonlyArray<EngineTheme> = [TASKS_AND_ATTEMPTS, TREES, LEASES, DURABLE_CODE]
