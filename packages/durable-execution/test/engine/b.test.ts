/** Parents, closing, cancelling and waiting: the cases of the engine suite over each storage. */

import { createInMemoryStorage, DurableExecutor } from 'durable-execution'
import { expect, test } from 'vitest'

import { CANCELLED_RUNS_CASES } from '../../src/testing/conformance/engine/cases-cancelled-runs.ts'
import { CANCELLING_CASES } from '../../src/testing/conformance/engine/cases-cancelling.ts'
import { CASCADE_CASES } from '../../src/testing/conformance/engine/cases-cascade.ts'
import { CLOSING_CASES } from '../../src/testing/conformance/engine/cases-closing.ts'
import { FAILING_CHILDREN_CASES } from '../../src/testing/conformance/engine/cases-failing-children.ts'
import { FAN_OUT_CASES } from '../../src/testing/conformance/engine/cases-fan-out.ts'
import { FINALIZE_CASES } from '../../src/testing/conformance/engine/cases-finalize.ts'
import { HANDLE_CASES } from '../../src/testing/conformance/engine/cases-handles.ts'
import { KNOWN_TASKS_CASES } from '../../src/testing/conformance/engine/cases-known-tasks.ts'
import { NESTED_FINALIZE_CASES } from '../../src/testing/conformance/engine/cases-nested-finalize.ts'
import { PARENT_CASES } from '../../src/testing/conformance/engine/cases-parents.ts'
import { REFUSED_CHILDREN_CASES } from '../../src/testing/conformance/engine/cases-refused-children.ts'
import { TREE_SAFETY_CASES } from '../../src/testing/conformance/engine/cases-tree-safety.ts'
import { WAITING_CASES } from '../../src/testing/conformance/engine/cases-waiting.ts'
import { RULES_B } from '../../src/testing/conformance/engine/rules-b.ts'
import { runEngineCases } from './run-cases.ts'

const CASES = [
  ...FAN_OUT_CASES,
  ...PARENT_CASES,
  ...REFUSED_CHILDREN_CASES,
  ...FAILING_CHILDREN_CASES,
  ...FINALIZE_CASES,
  ...NESTED_FINALIZE_CASES,
  ...CLOSING_CASES,
  ...KNOWN_TASKS_CASES,
  ...CANCELLING_CASES,
  ...CANCELLED_RUNS_CASES,
  ...CASCADE_CASES,
  ...HANDLE_CASES,
  ...WAITING_CASES,
  ...TREE_SAFETY_CASES,
]

runEngineCases('trees', CASES, RULES_B)

test('on memory a cancel right after the enqueue wins: the function is never called', async () => {
  const executor = new DurableExecutor(createInMemoryStorage(), { logger: null })
  let calls = 0
  const task = executor.task({
    id: 'task',
    timeoutMs: 1_000,
    run: () => {
      calls += 1
    },
  })
  await executor.start()
  for (let round = 0; round < 50; round += 1) {
    const handle = await executor.enqueueTask(task, undefined)
    expect(await handle.cancel()).toBe(true)
    expect((await handle.waitAndGetTaskFinishedExecution()).status).toBe('cancelled')
  }
  await executor.shutdown()
  expect(calls).toBe(0)
})
