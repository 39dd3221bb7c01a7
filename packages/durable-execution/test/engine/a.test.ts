/** Tasks, inputs, attempts, limits and sequences over every storage. */

import { ATTEMPT_CASES } from '../../src/testing/conformance/engine/cases-attempts.ts'
import { DEFINITION_CASES } from '../../src/testing/conformance/engine/cases-definitions.ts'
import { DIFFERENCE_CASES } from '../../src/testing/conformance/engine/cases-differences.ts'
import { EXECUTOR_OPTION_CASES } from '../../src/testing/conformance/engine/cases-executor-options.ts'
import { INPUT_CASES } from '../../src/testing/conformance/engine/cases-inputs.ts'
import { LIMIT_CASES } from '../../src/testing/conformance/engine/cases-limits.ts'
import { LONG_DELAY_CASES } from '../../src/testing/conformance/engine/cases-long-delays.ts'
import { OBSERVING_CASES } from '../../src/testing/conformance/engine/cases-observing.ts'
import { RETRY_CASES } from '../../src/testing/conformance/engine/cases-retries.ts'
import { SEQUENCE_CASES } from '../../src/testing/conformance/engine/cases-sequences.ts'
import { TASK_ID_CASES } from '../../src/testing/conformance/engine/cases-task-ids.ts'
import { TIMEOUT_CASES } from '../../src/testing/conformance/engine/cases-timeouts.ts'
import { VIEW_CASES } from '../../src/testing/conformance/engine/cases-views.ts'
import { RULES_A } from '../../src/testing/conformance/engine/rules-a.ts'
import { runEngineCases } from './run-cases.ts'

runEngineCases(
  'tasks and attempts',
  [
    ...TASK_ID_CASES,
    ...DEFINITION_CASES,
    ...INPUT_CASES,
    ...ATTEMPT_CASES,
    ...RETRY_CASES,
    ...TIMEOUT_CASES,
    ...LONG_DELAY_CASES,
    ...LIMIT_CASES,
    ...SEQUENCE_CASES,
    ...OBSERVING_CASES,
    ...EXECUTOR_OPTION_CASES,
    ...VIEW_CASES,
    ...DIFFERENCE_CASES,
  ],
  RULES_A,
  {
    'difference.losses_counted': 'the count of losses is not among the fields it keeps',
    'sequence.long': 'it reads all of its rows at each call, which takes too long with two hundred',
  },
)
