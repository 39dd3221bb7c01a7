/** Plays generated transactions on a storage, and gives what it answered in a form that can be compared. */

import { type DurableStorage, type DurableStorageTx } from '../../src/storage/contract.ts'
import { updateTaskExecutionsWithLimit } from '../../src/storage/contract-with-limit.ts'
import { type Command, type Transaction } from './commands.ts'
import { type Row } from './generated-rows.ts'

/** What a command answered; what has no promised order is sorted. */
export type Answer = unknown

/** How a transaction went: what each command answered, and how it ended. */
export type Played = {
  end: 'committed' | 'rolled back' | { refused: string }
  answers: Array<Answer>
}

/** Does one command. */
export type Perform = (tx: DurableStorageTx, command: Command, index: number) => Promise<Answer>

class Undo extends Error {}

/** Plays the transaction. An error ends it; it is part of what is compared. */
export async function playTransaction(
  storage: DurableStorage,
  { end, isHinted, commands }: Transaction,
  perform: Perform,
): Promise<Played> {
  const answers: Array<Answer> = []
  // A storage that was told of one call may keep it at once, so such a transaction does not go back on it.
  const isOneCall = commands.length === 1 && commands[0]?.kind !== 'update with limit' && end === 'commit'
  const hint = isHinted && isOneCall ? { oneCall: true } : undefined
  try {
    await storage.withTransaction(async (tx) => {
      for (const [index, command] of commands.entries()) {
        answers.push(await perform(tx, command, index))
      }
      if (end === 'rollback') {
        throw new Undo()
      }
    }, hint)
    return { end: 'committed', answers }
  } catch (error) {
    return { end: error instanceof Undo ? 'rolled back' : { refused: messageOf(error) }, answers }
  }
}

/** Does the command on a transaction that has all members. */
export async function performOn(tx: Required<DurableStorageTx>, command: Command): Promise<Answer> {
  switch (command.kind) {
    case 'insert':
      // What the caller does with its objects afterwards is its own affair.
      return await afterwards(
        structuredClone(command.rows),
        async (rows) => await tx.insertTaskExecutions(rows),
      )
    case 'insert if missing':
      return sorted(
        await afterwards(structuredClone(command.rows), async (rows) =>
          tx.insertTaskExecutionsIfMissing(rows),
        ),
      )
    case 'find':
      return await tx.getTaskExecutionIds(command.where, command.limit)
    case 'read':
      return await tx.getTaskExecutions(command.where, command.limit)
    case 'update':
      return sorted(
        await afterwards(structuredClone(command.update), async (update) =>
          tx.updateTaskExecutions(command.where, update),
        ),
      )
    case 'update with limit':
      return sorted(await updateTaskExecutionsWithLimit(tx, command.where, command.update, command.limit))
    case 'claim':
      return byId(await tx.claimTaskExecutions(structuredClone(command.claim)))
    case 'update batch':
      return sorted(
        await afterwards(structuredClone(command.updates), async (updates) =>
          tx.updateTaskExecutionsBatch(updates),
        ),
      )
    case 'lock':
      return byId(await tx.lockTaskExecutions([...command.executionIds], { isLean: command.isLean }))
    case 'fields':
      return byId(await tx.getTaskExecutionFields([...command.executionIds], [...command.fields]))
    case 'renew':
      return byId(await tx.renewTaskExecutions(structuredClone(command.renew)))
    case 'in ranges':
      return byId(await tx.getTaskExecutionsInIdRanges(structuredClone(command.ranges)))
    case 'below':
      return await tx.getTaskExecutionIdsBelow(command.parentExecutionId, command.limit)
  }
}

/** Hands the value over, and spoils the caller's copy once that is done: a storage that kept it would show. */
async function afterwards<T, R>(given: T, use: (given: T) => R | Promise<R>): Promise<R> {
  const answer = await use(given)
  spoil(given)
  return answer
}

function spoil(value: unknown): void {
  if (value instanceof Date) {
    value.setTime(77)
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, part] of Object.entries(value)) {
      spoil(part)
      if (typeof part !== 'object') {
        Reflect.set(value, name, 'spoilt')
      }
    }
  }
}

function sorted(ids: Array<string>): Array<string> {
  return ids.toSorted()
}

function byId<One extends { executionId: string }>(rows: Array<One>): Array<One> {
  return rows.toSorted((a, b) => (a.executionId < b.executionId ? -1 : 1))
}

/** All rows in the order of insertion. */
export async function allRows(storage: DurableStorage, statuses: Array<Row['status']>): Promise<Array<Row>> {
  return await storage.withTransaction(
    async (tx) => await tx.getTaskExecutions({ type: 'by_statuses', statuses }),
    { oneCall: true },
  )
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
