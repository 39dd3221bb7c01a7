/** Calls optional members of a transaction, which a case may take for granted that says it needs them. */

import assert from 'node:assert/strict'

import { type DurableStorage, type DurableStorageTx } from '../../storage/contract.ts'
import { type ConformanceNeed } from './case.ts'

/** The name of an optional member. */
export type OptionalMember = Exclude<ConformanceNeed, 'two_connections' | 'shareTransaction'>

/** The optional member of the transaction, which must be there. */
export function memberOf<Name extends OptionalMember>(
  tx: DurableStorageTx,
  name: Name,
): NonNullable<DurableStorageTx[Name]> {
  const member = tx[name]
  assert.ok(member, `the transaction has no ${name}`)
  return member
}

type Given<Name extends OptionalMember> = Parameters<NonNullable<DurableStorageTx[Name]>>
type Answer<Name extends OptionalMember> = Awaited<ReturnType<NonNullable<DurableStorageTx[Name]>>>

/** Calls the optional member in a transaction of its own. */
export async function call<Name extends OptionalMember>(
  storage: DurableStorage,
  name: Name,
  ...given: Given<Name>
): Promise<Answer<Name>> {
  return await storage.withTransaction(async (tx) => {
    const member = memberOf(tx, name) as unknown as (
      ...given: Given<Name>
    ) => Answer<Name> | Promise<Answer<Name>>
    return await member(...given)
  })
}
