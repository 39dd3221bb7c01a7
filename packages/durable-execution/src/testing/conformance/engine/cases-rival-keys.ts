/** Cases: the same idempotency key used at once, by several calls, executors and tries. */

import assert from 'node:assert/strict'

import { type DurableTaskHandle } from '../../../client/handle.ts'
import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableStorage } from '../../../storage/contract.ts'
import { type DurableTask } from '../../../task/define.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { idOf, USED } from './cases-keys.ts'
import { quickTask } from './lives.ts'
import { assertRefused } from './refusals.ts'
import { type EngineWorld } from './world.ts'

/** A storage through which, once, something else happens between a look and what follows it. */
function withRival(storage: DurableStorage, rival: () => Promise<unknown>): DurableStorage {
  let isRivalDue = true
  const { getCurrentTime } = storage
  return {
    ...(getCurrentTime === undefined ? {} : { getCurrentTime: () => getCurrentTime.call(storage) }),
    withTransaction: async (fn, hint) => {
      const answer = await storage.withTransaction(fn, hint)
      if (isRivalDue) {
        isRivalDue = false
        await rival()
      }
      return answer
    },
  }
}

type Rivals = {
  executor: DurableExecutor
  task: DurableTask<unknown, unknown>
  /** The inputs with which the task was run, by either. */
  ran: Array<unknown>
  others: Array<DurableTaskHandle<unknown>>
}

/** A started executor whose first look under a key is followed by the enqueue of somebody else. */
async function outrun(world: EngineWorld, input: unknown): Promise<Rivals> {
  const ran: Array<unknown> = []
  const run = (_ctx: unknown, given: unknown): unknown => ran.push(given)
  const other = world.newExecutor()
  const theirs = quickTask(other, 'work', run)
  const others: Array<DurableTaskHandle<unknown>> = []
  let isArmed = false
  const storage = withRival(world.storage, async () => {
    assert.ok(isArmed, 'the first transaction is that of the enqueue')
    others.push(await other.enqueueTask(theirs, input, { idempotencyKey: 'k' }))
  })
  // Not started, so that the look of the enqueue is its first transaction.
  const executor = world.newExecutor({ storage })
  isArmed = true
  return { executor, task: quickTask(executor, 'work', run), ran, others }
}

export const RIVAL_KEY_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'key.at_once',
    'of many calls at once by several executors one execution comes, and it runs once',
    async (world) => {
      let runs = 0
      const executors = [world.newExecutor(), world.newExecutor(), world.newExecutor()]
      for (const executor of executors) {
        quickTask(executor, 'work', () => (runs += 1))
        await world.until(executor.start())
      }
      const calls = executors.flatMap((executor) =>
        Array.from({ length: 20 }, (_, index) =>
          index % 5 === 4
            ? executor.enqueueTasks({ id: 'work' }, [1, 1], { idempotencyKey: 'k' })
            : executor.enqueueTask({ id: 'work' }, 1, { idempotencyKey: 'k' }),
        ),
      )
      const handles = (await world.until(Promise.all(calls))).flat()
      assert.equal(new Set(handles.map(idOf)).size, 1)
      for (const handle of handles.slice(0, 1)) {
        await world.finish(handle)
      }
      await world.clock.advance('1m')
      assert.equal(runs, 1)
      assert.equal((await world.rows()).length, 1)
    },
  ),

  engineCase(
    'key.at_once',
    'of calls at once with different inputs one input wins, and the others are refused',
    async (world) => {
      const executor = world.newExecutor()
      const task = quickTask(executor, 'work')
      const calls = [1, 2, 1, 2].map((input) => executor.enqueueTask(task, input, { idempotencyKey: 'k' }))
      const ends = await world.until(Promise.allSettled(calls))
      assert.deepEqual(
        ends.map((end) => (end.status === 'fulfilled' ? 'ok' : (end.reason as Error).message)),
        ['ok', USED, 'ok', USED],
      )
    },
  ),

  engineCase(
    'key.quicker',
    'what somebody else enqueued after the look is found by the insert that fails, and is not started again',
    async (world) => {
      const { executor, task, ran, others } = await outrun(world, 1)
      const handle = await world.until(executor.enqueueTask(task, 1, { idempotencyKey: 'k' }))
      assert.equal(idOf(handle), idOf(others[0]))
      await world.until(executor.start())
      await world.finish(handle)
      await world.clock.advance('1m')
      assert.deepEqual(ran, [1])
    },
  ),

  engineCase(
    'key.quicker',
    'an executor that could start what it enqueues does not start what somebody else was quicker to',
    async (world) => {
      const gate = { ran: 0 }
      const [one, other] = [world.newExecutor(), world.newExecutor()] as const
      for (const executor of [one, other]) {
        quickTask(executor, 'work', () => (gate.ran += 1))
        await world.until(executor.start())
        await world.clock.settle()
      }
      for (let round = 0; round < 20; round += 1) {
        const options = { idempotencyKey: `k${round}` }
        const handles = await world.until(
          Promise.all([
            one.enqueueTask({ id: 'work' }, round, options),
            other.enqueueTask({ id: 'work' }, round, options),
            one.enqueueTask({ id: 'work' }, `beside ${round}`),
          ]),
        )
        assert.equal(idOf(handles[0]), idOf(handles[1]))
        for (const handle of handles) {
          assert.equal((await world.finish(handle)).status, 'completed')
        }
      }
      assert.equal(gate.ran, 40)
    },
  ),

  engineCase(
    'key.quicker',
    'another input that somebody else enqueued after the look is refused, and leaves nothing of many',
    async (world) => {
      const single = await outrun(world, 'theirs')
      await assertRefused(
        () => world.until(single.executor.enqueueTask(single.task, 'mine', { idempotencyKey: 'k' })),
        USED,
      )
      const many = outrunMany(world)
      await assertRefused(() => world.until(many()), /^Idempotency key k2 of task many was used/)
      assert.deepEqual((await world.rows()).map((row) => row.runInput).toSorted(), ['"theirs"', '2'])
    },
  ),

  engineCase(
    'key.shares',
    'what is enqueued beside a key that is there is enqueued, each with its own answer',
    async (world) => {
      const { executor, task, others } = await outrun(world, 'theirs')
      const calls = [
        executor.enqueueTask(task, 'theirs', { idempotencyKey: 'k' }),
        // Begun when the look of the first is answered, so that they share its insert.
        executor.enqueueTask(task, 'fresh', { idempotencyKey: 'fresh' }),
      ]
      const [same, fresh] = await world.until(Promise.all(calls))
      assert.equal(idOf(same), idOf(others[0]))
      const inputs = (await world.rows()).map((row) => row.runInput)
      assert.deepEqual(inputs.toSorted(), ['"fresh"', '"theirs"'])
      assert.equal((await world.row(idOf(fresh) ?? '')).runInput, '"fresh"')
    },
  ),

  engineCase(
    'key.unheard',
    'an insert under a key may be lost, or its reply: there is one execution, and it runs once',
    async (world) => {
      for (const fault of ['lost_request', 'lost_reply', 'lost_in_between'] as const) {
        for (const isMany of [false, true]) {
          const storage = createFaultyStorage(world.storage)
          const executor = world.newExecutor({ storage })
          const ran: Array<string> = []
          const task = quickTask(executor, 'work', (_ctx, input) => ran.push(String(input)))
          await world.until(executor.start())
          await world.clock.settle()
          let faults = 1
          storage.failAtCommitWhen(({ operations }) =>
            operations.includes('insertTaskExecutions') && faults-- > 0 ? fault : undefined,
          )
          const name = `${fault} ${isMany}`
          const inputs = [
            'plain',
            ...['1', '2'].map((key) => ({ input: key, options: { idempotencyKey: name + key } })),
          ]
          const handles = await world.until(
            isMany
              ? executor.enqueueTasks(task, inputs)
              : Promise.all([
                  executor.enqueueTask(task, '1', { idempotencyKey: `${name}1` }),
                  executor.enqueueTask(task, '2', { idempotencyKey: `${name}2` }),
                  executor.enqueueTask(task, 'plain'),
                ]),
          )
          for (const handle of handles) {
            assert.equal((await world.finish(handle)).status, 'completed', name)
          }
          await world.clock.advance('1m')
          assert.deepEqual(ran.toSorted(), ['1', '2', 'plain'], name)
          await world.until(executor.shutdown())
        }
      }
    },
  ),
]

/** A call of `enqueueTasks` in which, after the look, a key turns out to be used by somebody else. */
function outrunMany(world: EngineWorld): () => Promise<unknown> {
  const other = world.newExecutor()
  const theirs = quickTask(other, 'many')
  const storage = withRival(world.storage, async () => {
    await other.enqueueTask(theirs, 2, { idempotencyKey: 'k2' })
  })
  const executor = world.newExecutor({ storage })
  const task = quickTask(executor, 'many')
  const inputs = [1, 2, 3].map((index) => ({
    input: `mine ${index}`,
    options: { idempotencyKey: `k${index}` },
  }))
  return async () => await executor.enqueueTasks(task, ['plain', ...inputs])
}
