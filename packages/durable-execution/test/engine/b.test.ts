/** Parents, closing, cancelling, waiting and views: the cases of the engine suite over each storage. */

import { FAILING_CHILDREN_CASES } from '../../src/testing/conformance/engine/cases-failing-children.ts'
import { FINALIZE_CASES } from '../../src/testing/conformance/engine/cases-finalize.ts'
import { PARENT_CASES } from '../../src/testing/conformance/engine/cases-parents.ts'
import { RULES_B } from '../../src/testing/conformance/engine/rules-b.ts'
import { runEngineCases } from './run-cases.ts'

runEngineCases('parents', [...PARENT_CASES, ...FAILING_CHILDREN_CASES, ...FINALIZE_CASES], RULES_B)
