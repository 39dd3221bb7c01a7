/** Asks the rules, reads what they want to know, and writes what they say. */

import { assert } from '../base/assert.ts'
import { type Millis } from '../base/clock.ts'
import { DurableExecutionError } from '../base/errors.ts'
import { type OutsideEvent } from '../machine/event.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { failureOf } from '../machine/failed-children.ts'
import { decide, type Decision, type Family, type FanInFacts } from '../machine/family.ts'
import { type Wanted } from '../machine/wants.ts'
import { type KnownRow } from '../machine/durable.ts'
import { type ParentPlan } from '../machine/parent.ts'
import { type DurableStorageTx } from '../storage/contract.ts'
import { insertRows, readFields, writeUpdates } from './rows.ts'

/** What the store knows of the executor it works for. */
export type StoreDoors = {
  /** The storage's time. */
  now: () => Millis
  newExecutionId: () => string
  newLeaseId: () => string
  /** What is known here of a parent's task. */
  planOf: (taskId: string) => ParentPlan | undefined
}

/** Decides the events over the family, and writes the decision in the same transaction. */
export async function decideInTransaction(
  tx: DurableStorageTx,
  family: Family,
  events: ReadonlyArray<OutsideEvent>,
  doors: StoreDoors,
  now: Millis,
): Promise<Decision> {
  const decision = await decideWithFacts(tx, family, events, doors, now)
  await writeUpdates(tx, decision.updates)
  await insertRows(tx, decision.inserts)
  return decision
}

/** Decides the events, with the outputs of children read where a parent's turn has come. */
async function decideWithFacts(
  tx: DurableStorageTx,
  family: Family,
  events: ReadonlyArray<OutsideEvent>,
  doors: StoreDoors,
  now: Millis,
): Promise<Decision> {
  const facts: Facts = { fanIns: new Map(), outputs: new Map(), known: new Map(), failedCounts: new Map() }
  const rules = { now, planOf: doors.planOf, newExecutionId: doors.newExecutionId, ...facts }
  // The first answer names what is wanted; what that brings may want more of a parent, or move a grandparent, and so on up.
  for (let rounds = 0; rounds <= 2 * family.rows.size + 1; rounds += 1) {
    const answer = decide(family, events, rules)
    if (answer.kind === 'decided') {
      return answer
    }
    await readWanted(tx, family, answer, facts, doors)
    await readKnown(tx, answer, facts)
  }
  return assert(false, 'the rules went on asking for what they had been told') as never
}

/** What was read for the rules. */
type Facts = {
  fanIns: Map<string, FanInFacts>
  outputs: Map<string, string>
  known: Map<string, KnownRow>
  failedCounts: Map<string, number>
}

async function readWanted(
  tx: DurableStorageTx,
  family: Family,
  wanted: Wanted,
  { fanIns, outputs, failedCounts }: Facts,
  doors: StoreDoors,
): Promise<void> {
  for (const parentId of wanted.failedCountIds) {
    failedCounts.set(parentId, await countFailed(tx, parentId))
  }
  for (const parentId of wanted.fanInIds) {
    fanIns.set(parentId, await readFanIn(tx, family, parentId, doors))
  }
  if (wanted.outputIds.length > 0) {
    const found = await readFields(tx, wanted.outputIds, ['output'])
    for (const executionId of wanted.outputIds) {
      const output = found.get(executionId)?.output
      assert(output !== undefined, `the completed execution ${executionId} has no output`)
      outputs.set(executionId, output)
    }
  }
}

/** Reads what is wanted of rows outside the family, under the lock of the rows that ask. */
async function readKnown(tx: DurableStorageTx, { rowIds }: Wanted, { known }: Facts): Promise<void> {
  if (rowIds.length === 0) {
    return
  }
  const found = await readFields(tx, rowIds, ['status', 'isClosed'])
  for (const executionId of rowIds) {
    const { status, isClosed } = found.get(executionId) ?? {}
    known.set(executionId, status === undefined ? null : { status, isClosed: isClosed === true })
  }
}

/** Only asked for where a storage does not keep the count: reads all children. Nobody else counts while the parent is locked. */
async function countFailed(tx: DurableStorageTx, parentId: string): Promise<number> {
  const parent = (await readFields(tx, [parentId], ['childrenTasks'])).get(parentId)
  const childIds = (parent?.childrenTasks ?? []).map((child) => child.executionId)
  const children = await readFields(tx, childIds, ['status', 'isClosed'])
  return [...children.values()].filter((child) => child.isClosed === true && failureOf(child) !== undefined)
    .length
}

const OUTPUT = ['output'] as const
const END = [
  ...OUTPUT,
  'status',
  'error',
  'childrenTasksErrors',
  'finalizeTask',
  'finalizeTaskError',
] as const

async function readFanIn(
  tx: DurableStorageTx,
  family: Family,
  parentId: string,
  { planOf }: StoreDoors,
): Promise<FanInFacts> {
  const parent = await readParentTexts(tx, family, parentId)
  const childIds = parent.childrenTasks.map((child) => child.executionId)
  const plan = planOf(family.rows.get(parentId)?.taskId ?? '')
  const found: Map<string, Partial<ExecutionRow>> = await readFields<keyof ExecutionRow>(
    tx,
    childIds,
    plan?.toleratedFailures === undefined ? OUTPUT : END,
  )
  return {
    runInput: parent.runInput,
    runOutput: parent.runOutput,
    children: parent.childrenTasks.map(({ taskId, executionId }) => {
      const child = found.get(executionId)
      return {
        taskId,
        executionId,
        output: child?.output,
        failure: child === undefined ? undefined : failureOf(child),
      }
    }),
  }
}

type ParentTexts = Required<Pick<ExecutionRow, 'runInput' | 'runOutput' | 'childrenTasks'>>

async function readParentTexts(tx: DurableStorageTx, family: Family, parentId: string): Promise<ParentTexts> {
  const locked = family.rows.get(parentId)
  const row =
    locked?.runInput !== undefined && locked.runOutput !== undefined && locked.childrenTasks !== undefined
      ? locked
      : (await readFields(tx, [parentId], ['runInput', 'runOutput', 'childrenTasks'])).get(parentId)
  const { runInput, runOutput, childrenTasks } = row ?? {}
  const isWhole = childrenTasks?.every((child) => typeof child?.executionId === 'string') === true
  if (runInput === undefined || runOutput === undefined || childrenTasks === undefined || !isWhole) {
    throw new DurableExecutionError(
      `Execution ${parentId} waits for its children, but the list of them or its own output is damaged`,
      false,
    )
  }
  return { runInput, runOutput, childrenTasks }
}
