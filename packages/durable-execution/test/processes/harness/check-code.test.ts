import { expect, test } from 'vitest'

import { type ExecutionRow } from '../../../src/machine/execution.ts'
import { callId, compensationId, idPrefix, recordRow } from '../../../src/machine/records.ts'
import { checkCode } from './check-code.ts'
import { type Evidence, type Finding } from './check.ts'
import { type LedgerLine } from './ledger.ts'
import { line, NOW, rowOf, sound } from './sound-round.ts'

const UNDOING = compensationId('o')
const stepId = (name: string): string => callId('o', name, 1)
const undoId = (name: string): string => callId(idPrefix(UNDOING), name, 1)

const order = rowOf('o', 'order')
const undoing = rowOf(UNDOING, 'order', { parentTask: { taskId: 'order', executionId: 'o' } })
const failed: Partial<ExecutionRow> = {
  status: 'failed',
  error: { errorType: 'generic', message: 'refused', isRetryable: false },
}

function stored(of: ExecutionRow, executionId: string, output: string): ExecutionRow {
  return recordRow(of, { executionId, kind: '#step', output }, NOW + 100)
}

const STEPS = [
  stored(order, stepId('reserve'), '7'),
  stored(order, stepId('charge'), 'null'),
  stored(order, stepId('ship'), '7'),
  stored(order, stepId('release'), ''),
]

function effect(executionId: string, value: number, at: number = 90): LedgerLine {
  return line('effect', executionId, at, { attempt: value, taskId: 'order' })
}

const EFFECTS = [effect(stepId('reserve'), 7), effect(stepId('charge'), 7), effect(stepId('ship'), 7)]

function completed(
  records: ReadonlyArray<ExecutionRow> = STEPS,
  ledger: ReadonlyArray<LedgerLine> = EFFECTS,
): Evidence {
  return { ...sound(), rows: [order], records, ledger }
}

/** An order that failed and is undone, but for what is said. */
function undone(fields: Partial<Pick<Evidence, 'rows' | 'records' | 'ledger'>> = {}): Evidence {
  const rows = [{ ...order, ...failed }, undoing]
  const records = [...STEPS, stored(undoing, undoId('release'), '0')]
  return { ...sound(), rows, records, ledger: [...EFFECTS, effect(undoId('release'), 0)], ...fields }
}

function findingsOf(evidence: Evidence): Array<string> {
  const findings: Array<Finding> = []
  checkCode(evidence, (promise, executionId, sentence) => findings.push({ promise, executionId, sentence }))
  return findings.map(({ promise }) => promise)
}

test('orders that are completed, and that failed and are undone, pass', () => {
  expect(findingsOf(completed())).toEqual([])
  expect(findingsOf(undone())).toEqual([])
  expect(findingsOf(completed(STEPS, [...EFFECTS, effect(stepId('reserve'), 9, 50)]))).toEqual([])
})

test.for<[string, Evidence, string]>([
  [
    'a step is remembered and was never done',
    completed(STEPS, EFFECTS.slice(0, 2)),
    'what is completed has run',
  ],
  ['a step of a completed order is forgotten', completed(STEPS.slice(0, 2)), 'nothing is lost'],
  [
    'a step was done with another value',
    completed(STEPS, [...EFFECTS, effect(stepId('ship'), 8)]),
    'outputs are right',
  ],
  [
    'a step was done again after its result was stored',
    completed(STEPS, [...EFFECTS, effect(stepId('charge'), 7, 5_000)]),
    'starts are explained',
  ],
  ['a completed order is undone', undone({ rows: [order, undoing] }), 'what ended badly is undone'],
  ['a failed order is not undone', undone({ rows: [{ ...order, ...failed }] }), 'what ended badly is undone'],
  [
    'what undoes has failed',
    undone({
      rows: [
        { ...order, ...failed },
        { ...undoing, ...failed },
      ],
    }),
    'what ended badly is undone',
  ],
  ['one of what was registered is not undone', undone({ records: STEPS }), 'what ended badly is undone'],
])('%s', ([, evidence, promise]) => {
  expect(findingsOf(evidence)).toContain(promise)
})
