/** A transaction that code of the user's shares: its statements first, then ours, then one commit, all on one connection. */

import { DurableExecutionError, messageOf } from '../../base/errors.ts'
import { type DurableStorageTx } from '../contract.ts'
import { isConflict, isOnlyAboutStatement } from './failures.ts'
import { Session, wrapOperations } from './session.ts'
import { beginSharedText, END_OF_USE, IS_SHARED } from './settings.ts'
import { SharedClient } from './shared-client.ts'
import { type Place, Transaction } from './transaction.ts'

/** Runs `use`, then `keep`, between BEGIN and COMMIT. */
export async function runShared<T>(
  place: Place,
  use: (transaction: object) => Promise<T>,
  keep: (tx: DurableStorageTx, value: T) => Promise<void>,
): Promise<T> {
  const transaction = await beginShared(place)
  const session = new Session()
  const client = new SharedClient(transaction, place.statementTimeoutMs)
  let value: T
  try {
    value = await use(client)
    await client.end()
    await endUse(transaction)
    await keep(
      wrapOperations(place.operations, (call) => session.run(async () => await call(transaction))),
      value,
    )
    await session.end()
  } catch (error) {
    client.drop()
    session.abandon()
    await session.settled()
    throw client.rejectionOf(error, await transaction.rollback(error))
  }
  await transaction.commit()
  return value
}

async function beginShared(place: Place): Promise<Transaction> {
  const transaction = new Transaction(place)
  try {
    await transaction.begin(beginSharedText(place.scope, place.statementTimeoutMs))
    return transaction
  } catch (error) {
    await transaction.rollback(error)
    throw error
  }
}

/** Sees to it that what the user's code did can be committed, and that it is still the same transaction. */
async function endUse(transaction: Transaction): Promise<void> {
  let mark: unknown
  try {
    const [row] = await transaction.run(END_OF_USE, [])
    mark = row?.[0]
  } catch (error) {
    throw isOnlyAboutStatement(error) && !isConflict(error)
      ? new DurableExecutionError(`The transaction cannot be committed: ${messageOf(error)}`, true, {
          cause: error,
        })
      : error
  }
  if (mark !== IS_SHARED) {
    throw new DurableExecutionError(
      'The transaction was ended inside its function, so its result was not kept. Leave beginning and ending it to ctx.transaction.',
      false,
    )
  }
}
