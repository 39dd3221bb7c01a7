/** Parents, closing, cancelling and waiting: the cases of the engine suite over each storage. */

import { createInMemoryStorage, DurableExecutor } from 'durable-execution'
import { expect, test } from 'vitest'

import { CANCELLING_CASES } from '../../src/testing/conformance/engine/cases-cancelling.ts'
import { CASCADE_CASES } from '../../src/testing/conformance/engine/cases-cascade.ts'
import { CLOSING_CASES } from '../../src/testing/conformance/engine/cases-closing.ts'
import { FAILING_CHILDREN_CASES } from '../../src/testing/conformance/engine/cases-failing-children.ts'
import { FINALIZE_CASES } from '../../src/testing/conformance/engine/cases-finalize.ts'
import { PARENT_CASES } from '../../src/testing/conformance/engine/cases-parents.ts'
import { TREE_SAFETY_CASES } from '../../src/testing/conformance/engine/cases-tree-safety.ts'
import { WAITING_CASES } from '../../src/testing/conformance/engine/cases-waiting.ts'
import { RULES_B } from '../../src/testing/conformance/engine/rules-b.ts'
import { runEngineCases } from './run-cases.ts'

const CASES = [
  ...PARENT_CASES,
  ...FAILING_CHILDREN_CASES,
  ...FINALIZE_CASES,
  ...CLOSING_CASES,
  ...CANCELLING_CASES,
  ...CASCADE_CASES,
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
