/** What must hold of durable code: what it remembers, what its steps did to the world outside, and what is undone. */

import { createDefaultSerializer } from '../../../src/index.ts'
import { type ExecutionRow } from '../../../src/machine/execution.ts'
import { callId, compensationId, idPrefix, isCompensation } from '../../../src/machine/records.ts'
import { type Evidence, type Report } from './check.ts'
import { type Explanations, explanationsOf } from './check-starts.ts'
import { type LedgerLine } from './ledger.ts'
import { ORDER, ORDER_STEPS, ORDER_UNDOS } from './order-task.ts'

const serializer = createDefaultSerializer()

// What is on its way when a result is stored is done a little after.
const LATE_SLACK_MS = 1_000

/** What an order left behind. */
type Order = {
  row: ExecutionRow
  known: ReadonlyMap<string, ExecutionRow>
  effects: ReadonlyMap<string, ReadonlyArray<LedgerLine>>
}

/** Checks all orders. */
export function checkCode(evidence: Evidence, report: Report): void {
  const effects = Map.groupBy(
    evidence.ledger.filter(({ what }) => what === 'effect'),
    ({ executionId }) => executionId,
  )
  const known = new Map([...evidence.rows, ...evidence.records].map((row) => [row.executionId, row]))
  const explanations = explanationsOf(evidence)
  for (const row of evidence.rows) {
    if (row.taskId === ORDER && !isCompensation(row)) {
      const order = { row, known, effects }
      checkSteps(order, report)
      checkAgain(order, evidence, explanations, report)
      checkUndoing(order, report)
    }
  }
}

/** What is remembered was done, and each time it was done with what was remembered before. */
function checkSteps({ row, known, effects }: Order, report: Report): void {
  const { executionId, status } = row
  const reserved = known.get(callId(idPrefix(executionId), 'reserve', 1))
  const token = reserved?.output === undefined ? undefined : serializer.deserialize(reserved.output)
  for (const step of ORDER_STEPS) {
    const stepId = callId(idPrefix(executionId), step, 1)
    const done = effects.get(stepId) ?? []
    if (known.has(stepId) && done.length === 0) {
      report('what is completed has run', executionId, `${step} is remembered, and was never done`)
    }
    if (status === 'completed' && !known.has(stepId)) {
      report('nothing is lost', executionId, `it is completed, and does not remember ${step}`)
    }
    const values = done.map(({ attempt }) => attempt)
    const isRight =
      step === 'reserve'
        ? token === undefined || values.includes(Number(token))
        : values.every((value) => value === token)
    if (!isRight) {
      const sentence = `${step} was done with ${values.join(' and ')}, and ${String(token)} was remembered`
      report('outputs are right', executionId, sentence)
    }
  }
}

/** Nothing is done again once its result is stored, but by who has lost the lease and does not know. */
function checkAgain(
  { row, known, effects }: Order,
  { clockSlackMs }: Evidence,
  { mayBeLate }: Explanations,
  report: Report,
): void {
  for (const [stepId, lines] of stepsOf(row, effects)) {
    const storedAt = known.get(stepId)?.createdAt.getTime() ?? Infinity
    for (const { at, pid } of lines) {
      if (at > storedAt + LATE_SLACK_MS + clockSlackMs && !mayBeLate(pid, at)) {
        const sentence = `${stepId} was done again ${at - storedAt} ms after its result was stored`
        report('starts are explained', row.executionId, sentence)
      }
    }
  }
}

function stepsOf(
  { executionId }: ExecutionRow,
  effects: Order['effects'],
): Array<[string, ReadonlyArray<LedgerLine>]> {
  const prefix = idPrefix(executionId)
  const undoing = idPrefix(compensationId(prefix))
  const ids = [
    ...ORDER_STEPS.map((name) => callId(prefix, name, 1)),
    ...ORDER_UNDOS.map((name) => callId(undoing, name, 1)),
  ]
  return ids.map((id) => [id, effects.get(id) ?? []])
}

/** What ended badly is undone, all that it registered and to the end; what is completed is not. */
function checkUndoing({ row, known, effects }: Order, report: Report): void {
  const { executionId, status } = row
  const prefix = idPrefix(executionId)
  const undoing = known.get(compensationId(prefix))
  const registered = ORDER_UNDOS.filter((name) => known.has(callId(prefix, name, 1)))
  if (status === 'completed' || registered.length === 0) {
    if (undoing !== undefined) {
      report(
        'what ended badly is undone',
        executionId,
        `it is ${status}, registered ${registered.length}, and is undone`,
      )
    }
    return
  }
  if (undoing?.status !== 'completed') {
    report(
      'what ended badly is undone',
      executionId,
      `it is ${status}, and what undoes it is ${undoing?.status ?? 'not there'}`,
    )
  }
  for (const name of registered) {
    const stepId = callId(idPrefix(compensationId(prefix)), name, 1)
    if (!known.has(stepId) || !effects.has(stepId)) {
      report('what ended badly is undone', executionId, `${name} was registered, and is not undone`)
    }
  }
}
