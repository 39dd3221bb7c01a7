/** Conformance: the engine's recipe of find, touch, read and write holds on two connections. */

import assert from 'node:assert/strict'

import { type DurableStorage, type DurableStorageTx } from '../../storage/contract.ts'
import { type ConformanceCase, type ConformanceWorld } from './case.ts'
import { interleave, isFulfilled, untilCommitted, valueOf } from './interleave.ts'
import { noPause, type Pause, touch } from './rivals.ts'
import { assertIds, at, byIds, findOne, insert, type Row, rowOf, runningRow, type Where } from './rows.ts'
import { STORAGE_RULES } from './rules.ts'

/** Part of a case: a transaction of the engine, which may be held open at its most delicate place. */
type Recipe<T> = (tx: DurableStorageTx, pause: Pause) => Promise<T>

/**
 * Makes two cases of two rivals: each is begun first once, and held open while the other runs on a second
 * connection. `check` gets what both answered, and in which order they were begun does not matter to it.
 */
function rivals<A, B>(
  name: string,
  rows: Array<Row>,
  [left, right]: [left: [name: string, recipe: Recipe<A>], right: [name: string, recipe: Recipe<B>]],
  check: (answers: { left: A; right: B }, storage: DurableStorage) => Promise<void>,
): Array<ConformanceCase> {
  const begin = async (world: ConformanceWorld): Promise<[DurableStorage, DurableStorage]> => {
    const one = await world.open()
    await insert(one, structuredClone(rows))
    return [one, await world.open()]
  }
  const common = { rule: STORAGE_RULES.locking, needs: ['two_connections'] as const }
  return [
    {
      ...common,
      name: `${name}, though ${left[0]} is open when ${right[0]} begins`,
      run: async (world) => {
        const [one, other] = await begin(world)
        const [first, second] = await interleave(
          (pause) => untilCommitted(one, (tx) => left[1](tx, pause)),
          () => untilCommitted(other, (tx) => right[1](tx, noPause)),
        )
        await check({ left: valueOf(first), right: valueOf(second) }, one)
      },
    },
    {
      ...common,
      name: `${name}, though ${right[0]} is open when ${left[0]} begins`,
      run: async (world) => {
        const [one, other] = await begin(world)
        const [first, second] = await interleave(
          (pause) => untilCommitted(one, (tx) => right[1](tx, pause)),
          () => untilCommitted(other, (tx) => left[1](tx, noPause)),
        )
        await check({ left: valueOf(second), right: valueOf(first) }, one)
      },
    },
  ]
}

const NOW = at(100)
const LATER = at(60_000)

/** Claims the row if it is still ready and due once it is touched. Answers whether it did. */
const claim: Recipe<boolean> = async (tx, pause) => {
  const due: Where = { type: 'by_start_at_less_than', statuses: ['ready'], startAtLessThan: NOW }
  const [found] = await tx.getTaskExecutionIds(due, 1)
  await pause()
  const row = found === undefined ? undefined : await touch(tx, found, ['ready'])
  if (row?.status !== 'ready' || row.startAt >= NOW) {
    return false
  }
  await tx.updateTaskExecutions(byIds('te_1'), {
    status: 'running',
    startedAt: at(200),
    expiresAt: LATER,
    updatedAt: NOW,
  })
  return true
}

/** Runs the row, fails it and puts it back for later, all at once. Answers whether it did. */
const runAndPutBack: Recipe<boolean> = async (tx, pause) => {
  const row = await touch(tx, 'te_1', ['ready'])
  if (row?.status !== 'ready') {
    return false
  }
  await tx.updateTaskExecutions(byIds('te_1'), {
    retryAttempts: row.retryAttempts + 1,
    startAt: LATER,
    updatedAt: NOW,
  })
  await pause()
  return true
}

/** Takes back the row if its lease has passed once it is touched. Answers whether it did. */
const recover: Recipe<boolean> = async (tx, pause) => {
  const lapsed: Where = { type: 'by_statuses', statuses: ['running'], expiresAtLessThan: NOW }
  const [found] = await tx.getTaskExecutionIds(lapsed, 1)
  await pause()
  const row = found === undefined ? undefined : await touch(tx, found)
  if (row?.status !== 'running' || row.expiresAt === undefined || row.expiresAt >= NOW) {
    return false
  }
  await tx.updateTaskExecutions(byIds('te_1'), { status: 'ready', unsetExpiresAt: true, updatedAt: NOW })
  return true
}

/** Renews the lease that began at `startedAt` if the row is still under it. Answers whether it did. */
const renewOf =
  (startedAt: Date, expiresAt: Date): Recipe<boolean> =>
  async (tx, pause) => {
    const row = await touch(tx, 'te_1')
    await pause()
    if (row?.status !== 'running' || row.startedAt?.getTime() !== startedAt.getTime()) {
      return false
    }
    await tx.updateTaskExecutions(byIds('te_1'), { expiresAt, updatedAt: NOW })
    return true
  }

/** Takes the row over, as recovery and the next claim do. */
const takeOver: Recipe<boolean> = async (tx, pause) => {
  const row = await touch(tx, 'te_1')
  await pause()
  await tx.updateTaskExecutions(byIds('te_1'), { startedAt: at(500), expiresAt: at(70_000), updatedAt: NOW })
  return row !== undefined
}

/** Closes the finished child and counts it with its parent, unless that is done. Answers whether it did. */
const close: Recipe<boolean> = async (tx, pause) => {
  const child = await touch(tx, 'te_child')
  const parent = await touch(tx, 'te_parent')
  await pause()
  if (child === undefined || child.isClosed || parent === undefined) {
    return false
  }
  const count = parent.childrenTasksCompletedCount + 1
  await tx.updateTaskExecutions(byIds('te_parent'), { childrenTasksCompletedCount: count, updatedAt: NOW })
  await tx.updateTaskExecutions(byIds('te_child'), { isClosed: true, updatedAt: NOW })
  return true
}

/** Touches itself, looks for the fact, and goes to sleep if there is none. Answers whether it saw the fact. */
const suspend: Recipe<boolean> = async (tx, pause) => {
  await touch(tx, 'te_1')
  const facts = await tx.getTaskExecutionIds(byIds('te_fact'))
  await pause()
  if (facts.length === 0) {
    await tx.updateTaskExecutions(byIds('te_1'), {
      status: 'ready',
      unsetExpiresAt: true,
      startAt: LATER,
      updatedAt: NOW,
    })
  }
  return facts.length > 0
}

/** Writes the fact, touches the receiver, and wakes it if it sleeps. Answers whether it woke it. */
const signal: Recipe<boolean> = async (tx, pause) => {
  await tx.insertTaskExecutions([rowOf('te_fact', { status: 'completed' })])
  const receiver = await touch(tx, 'te_1')
  await pause()
  if (receiver?.status !== 'ready') {
    return false
  }
  await tx.updateTaskExecutions(byIds('te_1'), { startAt: at(0), updatedAt: NOW })
  return true
}

export const recipeCases: ReadonlyArray<ConformanceCase> = [
  ...rivals(
    'a claim by find, touch and read never starts a retry before its time',
    [rowOf('te_1')],
    [
      ['the claim', claim],
      ['the run that puts it back', runAndPutBack],
    ],
    async ({ left: isClaimed, right: isPutBack }, storage) => {
      assert.notEqual(isClaimed, isPutBack, 'one of the two has the row, and not both')
      assert.equal((await findOne(storage, 'te_1')).status, isClaimed ? 'running' : 'ready')
    },
  ),
  ...rivals(
    'two claims by find, touch and read never both take a row',
    [rowOf('te_1')],
    [
      ['one claim', claim],
      ['the other claim', claim],
    ],
    ({ left, right }) => {
      assert.notEqual(left, right)
      return Promise.resolve()
    },
  ).slice(0, 1),
  ...rivals(
    'a recovery by find, touch and read never takes a lease that was renewed',
    [runningRow('te_1', { expiresAt: at(50) })],
    [
      ['the recovery', recover],
      ['the renewal', renewOf(at(10), LATER)],
    ],
    async ({ left: isRecovered, right: isRenewed }, storage) => {
      assert.notEqual(isRecovered, isRenewed, 'one of the two has the row, and not both')
      assert.equal((await findOne(storage, 'te_1')).status, isRenewed ? 'running' : 'ready')
    },
  ),
  ...rivals(
    'a renewal by touch and read never extends the lease of a successor',
    [runningRow('te_1')],
    [
      ['the late renewal', renewOf(at(10), at(99_000))],
      ['the successor', takeOver],
    ],
    async (_, storage) => {
      const row = await findOne(storage, 'te_1')
      assert.deepEqual([row.startedAt, row.expiresAt], [at(500), at(70_000)])
    },
  ),
  ...rivals(
    'of two closers one counts the child',
    [
      rowOf('te_parent', { status: 'waiting_for_children_tasks' }),
      rowOf('te_child', { status: 'completed' }),
    ],
    [
      ['one closer', close],
      ['the other closer', close],
    ],
    async ({ left, right }, storage) => {
      assert.notEqual(left, right)
      assert.equal((await findOne(storage, 'te_parent')).childrenTasksCompletedCount, 1)
    },
  ).slice(0, 1),
  ...rivals(
    'a signal is seen by its receiver or wakes it',
    [runningRow('te_1')],
    [
      ['the receiver that goes to sleep', suspend],
      ['the sender', signal],
    ],
    async ({ left: isSeen, right: isWoken }, storage) => {
      assert.notEqual(isSeen, isWoken)
      const receiver = await findOne(storage, 'te_1')
      assert.notDeepEqual(receiver.startAt, LATER, 'the receiver sleeps though the signal was sent')
    },
  ),
  {
    name: 'two children that finish at the same time on two connections are both counted',
    rule: STORAGE_RULES.locking,
    needs: ['two_connections'],
    run: async (world) => {
      const one = await world.open()
      const other = await world.open()
      const ids = Array.from({ length: 10 }, (_, index) => `te_${index}`)
      await insert(one, [
        rowOf('te_parent', { status: 'waiting_for_children_tasks' }),
        ...ids.map((id) => rowOf(id)),
      ])
      const ends = await Promise.allSettled(
        ids.map((id, index) =>
          untilCommitted(index % 2 === 0 ? one : other, async (tx) => {
            await tx.updateTaskExecutions(byIds(id), { status: 'completed', isClosed: true, updatedAt: NOW })
            const parent = await touch(tx, 'te_parent')
            const count = (parent?.childrenTasksCompletedCount ?? 0) + 1
            await tx.updateTaskExecutions(byIds('te_parent'), {
              childrenTasksCompletedCount: count,
              updatedAt: NOW,
            })
            return id
          }),
        ),
      )
      assertIds(
        ends.filter(isFulfilled).map((end) => end.value),
        ids,
      )
      assert.equal((await findOne(one, 'te_parent')).childrenTasksCompletedCount, 10)
    },
  },
]
