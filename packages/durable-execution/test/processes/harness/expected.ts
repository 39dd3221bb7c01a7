/** How each task must end, worked out from its input alone. */

import { isRefused, ORDER } from './order-task.ts'
import { type FinishedStatus } from '../../../src/machine/status.ts'
import { type Below, fold, isTreeTask, planOf } from './random-trees.ts'
import { CHILDREN, isSequence } from './tasks.ts'

export type ExpectedEnd =
  | { status: Exclude<FinishedStatus, 'completed'> }
  | { status: 'completed'; output: number }

const completed = (output: number): ExpectedEnd => ({ status: 'completed', output })
const leaf = (input: number): number => 2 * input
const sequence = (input: number): number => leaf(leaf(leaf(input)))
const branch = (input: number): number => leaf(input) + leaf(input + 1) + leaf(input + 2)
const gathered = (input: number): number => branch(input) + branch(input + 10) + leaf(input)

/** By the id of the task; finalize tasks, which have other inputs, are judged by their parents' outputs. */
const ENDS: ReadonlyMap<string, (input: number) => ExpectedEnd> = new Map<
  string,
  (input: number) => ExpectedEnd
>([
  ['plain', (input) => completed(leaf(input))],
  ['leaf', (input) => completed(leaf(input))],
  ['only_old', (input) => completed(input + 1)],
  ['only_new', (input) => completed(input + 1)],
  ['patient', completed],
  ['late', completed],
  ['sequence', (input) => completed(sequence(input))],
  ['too_late', () => ({ status: 'timed_out' })],
  ['broken', () => ({ status: 'failed' })],
  ['endless', () => ({ status: 'cancelled' })],
  ['nobody', () => ({ status: 'cancelled' })],
  ['tree', (input) => completed(CHILDREN * (2 * input + CHILDREN - 1))],
  ['branch', (input) => completed(branch(input))],
  ['nested', (input) => completed(leaf(gathered(input)) + leaf(gathered(input) + 1))],
  ['bad_tree', () => ({ status: 'children_tasks_failed' })],
  ['bad_finalize', () => ({ status: 'finalize_task_failed' })],
  [ORDER, (input) => (isRefused(input) ? { status: 'failed' } : completed(leaf(input) + leaf(input + 1)))],
  ['new_tree', (input) => completed(input + 1 + leaf(input) + input + 2)],
])

/** How an execution of the task must end unless it is cancelled; undefined for finalize tasks. */
export function expectedEnd(taskId: string, input: unknown): ExpectedEnd | undefined {
  if (isTreeTask(taskId)) {
    return endOfTree(taskId, input as number)
  }
  return ENDS.get(isSequence(taskId) ? 'sequence' : taskId)?.(input as number)
}

function endOfTree(taskId: string, input: number): ExpectedEnd {
  const { children, more } = planOf(taskId, input)
  const first = endOfAll(children)
  if (typeof first === 'string') {
    return { status: first === 'failed' ? 'children_tasks_failed' : 'cancelled' }
  }
  if (more.length === 0) {
    return completed(fold(first))
  }
  const second = endOfAll(more)
  if (typeof second === 'string') {
    return { status: second === 'failed' ? 'finalize_task_failed' : 'cancelled' }
  }
  return completed(fold([fold(first), ...second]))
}

/** Their outputs, if all complete; whether one fails by itself; or, if one never ends, that all wait to be cancelled. */
function endOfAll(below: ReadonlyArray<Below>): Array<number> | 'failed' | 'cancelled' {
  const ends = below.map(({ taskId, input }) => expectedEnd(taskId, input))
  if (ends.some((end) => end !== undefined && end.status !== 'completed' && end.status !== 'cancelled')) {
    return 'failed'
  }
  const outputs = ends.flatMap((end) => (end?.status === 'completed' ? [end.output] : []))
  return outputs.length === ends.length ? outputs : 'cancelled'
}
