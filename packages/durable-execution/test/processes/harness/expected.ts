/** How each task must end, worked out from its input alone. */

import { type FinishedStatus } from '../../../src/machine/execution.ts'
import { CHILDREN } from './tasks.ts'

export type ExpectedEnd =
  | { status: Exclude<FinishedStatus, 'completed'> }
  | { status: 'completed'; output: number }

const completed = (output: number): ExpectedEnd => ({ status: 'completed', output })
const leaf = (input: number): number => 2 * input
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
  ['too_late', () => ({ status: 'timed_out' })],
  ['broken', () => ({ status: 'failed' })],
  ['endless', () => ({ status: 'cancelled' })],
  ['tree', (input) => completed(CHILDREN * (2 * input + CHILDREN - 1))],
  ['branch', (input) => completed(branch(input))],
  ['nested', (input) => completed(leaf(gathered(input)) + leaf(gathered(input) + 1))],
  ['bad_tree', () => ({ status: 'children_tasks_failed' })],
  ['bad_finalize', () => ({ status: 'finalize_task_failed' })],
  ['new_tree', (input) => completed(input + 1 + leaf(input) + input + 2)],
])

/** How an execution of the task must end unless it is cancelled; undefined for finalize tasks. */
export function expectedEnd(taskId: string, input: unknown): ExpectedEnd | undefined {
  return ENDS.get(taskId)?.(input as number)
}
