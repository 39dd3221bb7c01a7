/** Conformance: two connections to one place, and the optional members that lock, claim and renew. */

import assert from 'node:assert/strict'

import { type DurableStorageTx } from '../../storage/contract.ts'
import { type ConformanceCase } from './case.ts'
import { claimOf } from './claim-cases.ts'
import { interleave, isFulfilled, untilCommitted, valueOf } from './interleave.ts'
import { call, memberOf } from './member.ts'
import { addOne, counted, noPause, openTwice, type Pause } from './rivals.ts'
import { assertIds, assertStored, at, byIds, find, type Row, rowOf, runningRow, update } from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

const idsOf = (rows: Array<Row>): Array<string> => rows.map((row) => row.executionId)

const rows = Array.from({ length: 12 }, (_, index) => rowOf(`te_${index}`))
const claiming =
  (limit: number, leaseId: string, pause: Pause) =>
  async (tx: DurableStorageTx): Promise<Array<string>> => {
    const taken = await memberOf(tx, 'claimTaskExecutions')(claimOf({ limit, leaseId }))
    await pause()
    return idsOf(taken)
  }
export const memberInterleavingCases: ReadonlyArray<ConformanceCase> = [
  {
    name: 'a claim skips or waits for rows that another open claim has taken, and never takes one twice',
    rule: STORAGE_RULES.claim,
    needs: ['two_connections', 'claimTaskExecutions'],
    run: async (world) => {
      const [one, other] = await openTwice(world, rows)
      const ends = await interleave(
        (pause) => untilCommitted(one, claiming(5, 'lease_one', pause)),
        () => untilCommitted(other, claiming(12, 'lease_other', noPause)),
      )
      const [first, second] = ends.map(valueOf)
      assert.equal(first?.length, 5)
      assertIds([...first, ...(second ?? [])], idsOf(rows))
    },
  },
  {
    name: 'rows of a claim that is undone can be claimed on another connection',
    rule: STORAGE_RULES.claim,
    needs: ['two_connections', 'claimTaskExecutions'],
    run: async (world) => {
      const [one, other] = await openTwice(world, rows)
      const [, second] = await interleave(
        (pause) =>
          one.withTransaction(async (tx) => {
            await claiming(5, 'lease_one', pause)(tx)
            throw new Error('undo')
          }),
        () => untilCommitted(other, claiming(12, 'lease_other', noPause)),
      )
      const claimed = [...valueOf(second)]
      // The word that it is undone may still be on its way to the server.
      for (let looks = 0; looks < 50 && claimed.length < rows.length; looks += 1) {
        claimed.push(...(await untilCommitted(other, claiming(12, 'lease_later', noPause))))
      }
      assertIds(claimed, idsOf(rows))
    },
  },
  {
    name: 'claims on two connections never take a row twice, and together take all',
    rule: STORAGE_RULES.claim,
    needs: ['two_connections', 'claimTaskExecutions'],
    run: async (world) => {
      const storages = await openTwice(
        world,
        Array.from({ length: 40 }, (_, index) => rowOf(`te_${index}`)),
      )
      const taken = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          untilCommitted(index % 2 === 0 ? storages[0] : storages[1], claiming(3, `lease_${index}`, noPause)),
        ),
      )
      const rest = await untilCommitted(storages[0], claiming(40, 'lease_rest', noPause))
      assertIds([...taken.flat(), ...rest], idsOf(await find(storages[1])))
    },
  },
  {
    name: 'an update of a row that another open transaction has locked waits or fails, and is never lost',
    rule: STORAGE_RULES.lock,
    needs: ['two_connections', 'lockTaskExecutions'],
    run: async (world) => {
      const [one, other] = await openTwice(world, [rowOf('te_1')])
      const ends = await interleave(
        (pause) =>
          one.withTransaction(async (tx) => {
            const [row] = await memberOf(tx, 'lockTaskExecutions')(['te_1'], { isLean: true })
            await pause()
            await tx.updateTaskExecutions(byIds('te_1'), {
              childrenTasksCompletedCount: (row?.childrenTasksCompletedCount ?? 0) + 1,
              updatedAt: at(2),
            })
          }),
        () => other.withTransaction((tx) => addOne(tx, noPause)),
      )
      const committed = ends.filter(isFulfilled).length
      assert.ok(committed >= 1, 'neither transaction could commit')
      assert.equal(await counted(one), committed)
    },
  },
  {
    name: 'a renewal never moves the lease of a row that another connection has just ended',
    rule: STORAGE_RULES.renew,
    needs: ['two_connections', 'renewTaskExecutions'],
    run: async (world) => {
      const [one, other] = await openTwice(world, [runningRow('te_1')])
      const [, renewed] = await interleave(
        (pause) =>
          one.withTransaction(async (tx) => {
            await tx.updateTaskExecutions(byIds('te_1'), {
              status: 'completed',
              unsetExpiresAt: true,
              updatedAt: at(1),
            })
            await pause()
          }),
        () =>
          call(other, 'renewTaskExecutions', {
            leases: [{ executionId: 'te_1', leaseId: 'lease_1' }],
            expiresAt: at(90_000),
            now: at(2),
          }),
      )
      if (isFulfilled(renewed)) {
        assert.ok(
          renewed.value.every((answer) => answer.isSkipped),
          'a lease that had ended was renewed',
        )
      }
      const { expiresAt: _, ...row } = runningRow('te_1')
      await assertStored(one, [{ ...row, status: 'completed', updatedAt: at(1) }])
      assertIds(await update(one, byIds('te_1'), { updatedAt: at(3) }), ['te_1'])
    },
  },
]
