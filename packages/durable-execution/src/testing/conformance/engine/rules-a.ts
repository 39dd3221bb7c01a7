/** The rules of tasks, inputs, attempts, limits and sequences, each in a sentence. */

import { DEADLINE_RULES } from './cases-deadlines.ts'
import { KEY_RULES } from './cases-keys.ts'
import { PRIORITY_RULES } from './cases-priority.ts'
import { START_AT_TAGS_RULES } from './cases-start-at-tags.ts'

/** Rule ids and what each says. */
export const RULES_A: Record<string, string> = {
  ...PRIORITY_RULES,
  'task_id.length': 'A task id has 1 to 255 characters.',
  'task_id.characters': 'A task id has letters, digits and underscores alone.',
  'task_id.unique': 'An executor knows one task of an id.',
  'task_id.finalize_is_a_task': 'A finalize task is a task with an id of its own.',
  'task_id.refused_registers_nothing': 'A refused definition leaves nothing registered.',

  'options.max_attempts': 'maxAttempts is an integer, 0 or more, and must be given with retry options.',
  'options.delays': 'baseDelayMs and maxDelayMs are integers, 0 or more.',
  'options.delay_multiplier': 'delayMultiplier is 0.1 or more.',
  'options.timeout': 'timeoutMs is an integer, 1 or more.',
  'options.sleep': 'sleepMsBeforeRun is an integer; 0 and less mean no sleep.',
  'options.default_retry': 'Without retry options a row holds that there are no retries.',
  'options.shape': 'A task is described by an object with a function.',
  'options.enqueue_wins': 'Options given at an enqueue take the place of the task’s for that execution.',
  'options.unbuilt_refused': 'An option that is not built yet is refused by its name.',

  'given.null': 'null and undefined mean that an option is not given.',
  'given.no_finite_number': 'What is no finite number is refused where a number is due.',
  'given.interval_too_long': 'An interval is at most a hundred years.',
  'given.lease': 'expireMs is the lease; not given, 0 and less mean 30 seconds.',
  'given.poll': 'An idle executor looks every poll interval; not given, 0 and less mean half a second.',
  'given.slots': 'An executor runs at most so many executions at a time, by default 100.',
  'given.storage': 'An executor needs a storage.',

  'input.validated_by_function': 'What a validating function returns is stored and run.',
  'input.validated_by_schema': 'What a schema gives is stored and run.',
  'input.refused': 'A refused input makes no row, and its error is never retryable.',
  'input.schema_issues': 'Each issue of a schema is a line of the error, followed by its path.',
  'input.schema_refused': 'A schema must follow Standard Schema.',
  'input.children_validated': 'Inputs of children are validated when the parent’s run returns them.',
  'input.bad_child_fails_parent': 'A bad input of a child fails the parent for good.',
  'input.finalize_not_validated': 'The input of a finalize task is not validated.',

  'many.in_order': 'Many inputs enqueued together are an execution each, in their order.',
  'many.all_or_none': 'Of many inputs enqueued together all become executions, or none does.',
  'many.tried_again': 'Many enqueued together are tried again like one, and never enqueued twice.',

  ...START_AT_TAGS_RULES,
  ...KEY_RULES,
  ...DEADLINE_RULES,

  'execution_id.form': 'An execution id starts with te_, is unique, and sorts by creation.',
  'execution_id.unguessable': 'An execution id cannot be guessed from another.',

  'run.not_before_start_at': 'An execution runs at or after its startAt.',
  'run.start_at': 'startAt is at first the creation plus the sleep before the run.',
  'run.retry_does_not_sleep': 'A retry does not sleep again.',
  'run.turns': 'Functions that compute without waiting leave turns of the event loop between them.',
  'run.context': 'A function is told its task, its execution and which attempt it is.',
  'run.prev_error': 'An attempt is told how the one before ended.',
  'run.own_error': 'An error of the engine’s classes ends the attempt as it is.',
  'run.other_error': 'Any other error is retryable, with its message.',
  'run.no_error': 'What is thrown and is no Error has its text as message.',
  'run.message_cut': 'An error message is cut at 16 KiB.',
  'run.logged_once': 'The log gets what was thrown, itself and once.',
  'run.back_to_ready': 'A retry puts the row back to ready, with the retry counted and the error kept.',
  'run.retry_delay':
    'A retry comes after baseDelayMs times delayMultiplier to the power of the retries made.',
  'run.no_base_delay': 'Without baseDelayMs a retry comes at once.',
  'run.max_delay': 'A retry comes at most maxDelayMs later.',
  'run.retries_counted': 'maxAttempts counts retries.',
  'run.final_status': 'The type of the last error makes the final status.',
  'run.success_clears_error': 'A success clears the error, and the output is the run’s.',
  'run.unreadable_input': 'An input that cannot be read ends the attempt failed, never to be retried.',
  'run.unserializable_output':
    'An output that cannot be serialized ends the attempt failed, never to be retried.',

  'timeout.signal': 'When timeoutMs has passed the attempt’s signals fire.',
  'timeout.ends_attempt': 'A timeout ends the attempt, whatever the function does afterwards.',
  'timeout.is_retryable': 'A timeout bounds each attempt, and is retried.',
  'timeout.enough': 'A function that ends in time is not timed out.',

  'abandon.row_at_once': 'The row of a retry after a timeout is written at once.',
  'abandon.waits_for_end': 'The same executor begins a retry only when the old function has ended.',
  'abandon.no_busy_waiting': 'Waiting for an old function does not load the storage.',
  'abandon.after_a_second': 'A function that goes on for a second after its timeout is abandoned.',
  'abandon.logged': 'That a function is abandoned is logged.',
  'abandon.frees_slot': 'An abandoned function takes no slot and is not among the running.',
  'abandon.not_waited_for': 'A shutdown does not wait for an abandoned function.',
  'abandon.outcome_refused': 'The outcome of an abandoned function is refused.',

  'delay.35_days': 'Sleeps, pauses and timeouts may be longer than a timer of the platform.',
  'delay.100_years': 'Sleeps, pauses and timeouts may be a hundred years.',
  'delay.limit': 'A sleep is at most a hundred years.',

  'limit.input_payload': 'A serialized input is at most maxPayloadBytes long.',
  'limit.payload_in_bytes': 'A payload is measured in bytes.',
  'limit.payload_default': 'maxPayloadBytes is 10 MiB unless given.',
  'limit.output_payload': 'A serialized output is at most maxPayloadBytes long.',
  'limit.child_payload': 'A serialized input of a child is at most maxPayloadBytes long.',
  'limit.composed_is_free': 'What the engine composes from children is not limited.',
  'limit.children': 'A parent has at most 100,000 children.',
  'limit.depth': 'A tree is at most 1,000 levels deep.',
  'limit.sequence': 'A sequence has at most 999 members, one for each level of its tree.',

  'serializer.own': 'The given serializer is used for inputs and outputs.',
  'serializer.empty_text': 'An encoding that is the empty text is a value.',
  'serializer.default': 'The default serializer keeps what it takes.',
  'serializer.refused_input': 'An input that cannot be serialized is refused.',

  'sequence.order': 'Members of a sequence run one after another.',
  'sequence.id': 'The id of a sequence is st_ and a hash of its members’ ids.',
  'sequence.same_task': 'The same sequence defined twice is the same task.',
  'sequence.of_one': 'A sequence of one task is that task.',
  'sequence.of_none': 'A sequence of no tasks is refused.',
  'sequence.repeated_member': 'A task may come more than once in a sequence.',
  'sequence.nested': 'Members may be parents and sequences.',
  'sequence.any_executor': 'Any executor with the same sequence can run it.',
  'sequence.linear_rows': 'The rows of a sequence grow linearly.',
  'sequence.linear_bytes': 'The bytes of a sequence grow linearly, however it ends.',
  'sequence.long': 'A sequence may have a hundred members.',
  'sequence.plain_serializer': 'A sequence needs nothing of a serializer that its members do not.',
  'sequence.composed_is_free': 'What one member composed is handed to the next, however large.',
  'sequence.fails': 'A sequence fails with its member, whose error is in the message.',

  'unknown.left_alone': 'An execution of an unknown task is neither run nor failed.',
  'unknown.hide_nothing': 'Executions of unknown tasks do not hold up known ones.',
  'unknown.never_failed': 'An executor gives up no execution of a task it does not know.',
  'unknown.refused': 'A task that is not defined cannot be enqueued or asked for.',

  'logger.debug_on_demand': 'Debug lines are written with enableDebug alone.',
  'logger.throwing': 'A logger that throws disturbs nothing.',
  'logger.hints_are_hints': 'A hint that fails is no failure of what it was about.',

  'running.called_and_not_ended': 'Running is what was called in this executor and has not ended.',
  'running.cancelled_included': 'A cancelled run is running until its function has ended.',
  'running.snapshot': 'The answered set of running executions stays as it is.',

  'view.fields': 'A view has the fields of its status alone.',
  'view.cancelled': 'The view of a cancelled execution has what was known then.',
  'view.family': 'A view names the parent and the root.',
  'view.shares_nothing': 'A view shares nothing with the row.',

  'difference.start_resolves': 'start resolves as soon as the executor runs.',
  'difference.lease_not_timeout': 'A crash costs the lease, whatever the timeout.',
  'difference.damaged_save': 'A damaged save is an error.',
  'difference.enqueue_options': 'Enqueue options are checked.',
  'difference.serializer': 'What JSON keeps is stored as JSON.',
  'difference.cancel_answers': 'cancel says whether it cancelled.',
  'difference.waits_at_once': 'A wait returns at once, and later errors of siblings may be added.',
  'difference.expires_while_running': 'expiresAt is there exactly while running.',
  'difference.losses_counted': 'Losses are counted apart from retries.',
  'difference.handle_of_other_task': 'A handle is refused for an execution of another task.',
}
