/** Sending a signal: it is kept with its execution, which is woken if it waits for it. */

import { DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { isFinishedStatus } from '../machine/status.ts'
import { idPrefix, isRecord, type NewRecord, signalId, signalKeyId } from '../machine/records.ts'
import { type DurableStorageTx } from '../storage/contract.ts'
import { decideInTransaction, type StoreDoors } from './decision.ts'
import { type Effects, effectsOf, NO_EFFECTS } from './effects.ts'
import { lockRows, readFields } from './rows.ts'
import { type Transact } from './transact.ts'

/** A signal on its way. */
export type SentSignal = {
  executionId: string
  name: string
  /** The serialized payload. */
  payload: string
  /** Of signals of one name with the same key only the first counts. */
  key: string | undefined
  /** Names this sending of it. */
  token: string
}

/** Sends it; `isRepeat` says that an earlier try may have sent it. */
export async function sendSignal(
  transact: Transact,
  signal: SentSignal,
  doors: StoreDoors,
  isRepeat: boolean,
): Promise<Effects> {
  return await transact(async (tx) => {
    const { executionId, name, payload, key, token } = signal
    const now = doors.now()
    const rows = await lockRows(tx, [executionId], new Date(now))
    const row = rows.get(executionId)
    if (row === undefined || isRecord(row)) {
      throw new DurableExecutionError(`Execution ${executionId} not found`, false)
    }
    const prefix = idPrefix(executionId)
    const keyId = key === undefined ? undefined : signalKeyId(prefix, name, key)
    if (keyId !== undefined && (await exist(tx, [keyId])).size > 0) {
      return NO_EFFECTS
    }
    const ordinal = 1 + (await countSignals(tx, prefix, name))
    if (isRepeat && (await isSent(tx, lastIds(prefix, name, ordinal - 1), token))) {
      return NO_EFFECTS
    }
    if (isFinishedStatus(row.status)) {
      throw new DurableExecutionError(`Execution ${executionId} has finished (${row.status})`, false)
    }
    if (ordinal > LIMITS.recordsPerExecution) {
      throw new DurableExecutionError(
        `Execution ${executionId} has been sent ${LIMITS.recordsPerExecution} signals ${name}, and takes no more (limit: recordsPerExecution)`,
        false,
      )
    }
    const records: Array<NewRecord> = [
      { executionId: signalId(prefix, name, ordinal), kind: '#signal', output: payload, token },
    ]
    if (keyId !== undefined) {
      records.push({ executionId: keyId, kind: '#key' })
    }
    const event = { kind: 'signalled' as const, executionId, name, ordinal, records }
    return effectsOf(await decideInTransaction(tx, { rows }, [event], doors, now))
  })
}

// So many ids are looked for at a time.
const PROBES = 16

/** How many signals of the name there are: they have no gaps, so the last one is found by halving. */
async function countSignals(tx: DurableStorageTx, prefix: string, name: string): Promise<number> {
  const isThere = async (ordinals: ReadonlyArray<number>): Promise<(ordinal: number) => boolean> => {
    const found = await exist(
      tx,
      ordinals.map((ordinal) => signalId(prefix, name, ordinal)),
    )
    return (ordinal) => found.has(signalId(prefix, name, ordinal))
  }
  const powers = Array.from({ length: PROBES }, (_, power) => 2 ** power)
  const isPower = await isThere(powers)
  let last = powers.findLast(isPower) ?? 0
  let missing = last === 0 ? 1 : last * 2
  while (missing - last > 1) {
    const step = Math.max(1, Math.floor((missing - last) / PROBES))
    const between: Array<number> = []
    for (let ordinal = last + step; ordinal < missing; ordinal += step) {
      between.push(ordinal)
    }
    const isBetween = await isThere(between)
    last = between.findLast(isBetween) ?? last
    missing = between.find((ordinal) => ordinal > last && !isBetween(ordinal)) ?? missing
  }
  return last
}

async function exist(tx: DurableStorageTx, executionIds: Array<string>): Promise<ReadonlySet<string>> {
  return new Set((await readFields(tx, executionIds, ['status'])).keys())
}

// Others may have sent some since.
function lastIds(prefix: string, name: string, last: number): Array<string> {
  const count = Math.min(last, 4 * PROBES)
  return Array.from({ length: count }, (_, index) => signalId(prefix, name, last - index))
}

async function isSent(tx: DurableStorageTx, executionIds: Array<string>, token: string): Promise<boolean> {
  const found = await readFields(tx, executionIds, ['runOutput'])
  return [...found.values()].some(({ runOutput }) => runOutput === token)
}
