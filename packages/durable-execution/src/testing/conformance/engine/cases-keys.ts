/** Cases: idempotency keys, under which there is one execution however often and by whomever it is enqueued. */

import assert from 'node:assert/strict'

import { type DurableTaskHandle } from '../../../client/handle.ts'
import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableStorage } from '../../../storage/contract.ts'
import { type DurableTask } from '../../../task/define.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { quickTask, untilTrue, waitingTask } from './lives.ts'
import { assertRefused } from './refusals.ts'
import { defineParentOf } from './trees.ts'
import { type EngineWorld } from './world.ts'

export const KEY_RULES: Record<string, string> = {
  'key.one_execution':
    'Enqueued again under the same key, with the same input, it is the execution that is there, active or finished.',
  'key.id': 'The id of an execution with a key is made from its task and its key.',
  'key.other_input': 'Another input under the same key is refused, and changes nothing.',
  'key.valid': 'A key is a text of 1 to 255 characters.',
  'key.many': 'Inputs that are enqueued together may have keys: those that are there are left as they are.',
  'key.many_refused': 'If the key of one input was used with another input, none of them is enqueued.',
  'key.at_once': 'Calls at once, in one process or in several, make one execution.',
  'key.quicker': 'Whoever is slower finds what the other one made, and does not start it again.',
  'key.shares': 'An insert that fails as its key is there fails no other one that shares its transaction.',
  'key.unheard': 'An insert whose commit was not heard of is found again, and runs once.',
  'key.not_of_child': 'A child has no key.',
}

const idOf = (handle: DurableTaskHandle<unknown> | undefined): string | undefined =>
  handle?.getTaskExecutionId()

const USED = 'Idempotency key k of task work was used with another input'

/** A storage through which, once, something else happens between a look and what follows it. */
function withRival(storage: DurableStorage, rival: () => Promise<unknown>): DurableStorage {
  let isRivalDue = true
  return {
    ...(storage.getCurrentTime === undefined
      ? {}
      : { getCurrentTime: () => storage.getCurrentTime?.() ?? new Date() }),
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

const singleCases: Array<EngineConformanceCase> = [
  engineCase(
    'key.one_execution',
    'the same key gives the same execution while it waits, runs and has ended',
    async (world) => {
      const executor = world.newExecutor()
      const { task, started } = waitingTask(executor, 'work')
      const options = { idempotencyKey: 'k', sleepMsBeforeRun: 1_000 }
      const first = await world.until(executor.enqueueTask(task, { a: 1 }, options))
      const waiting = await world.until(executor.enqueueTask(task, { a: 1 }, options))
      await world.until(executor.start())
      await untilTrue(world, () => started.length === 1)
      // Nothing but the input is compared: the others stay as they were at first.
      const running = await world.until(
        executor.enqueueTask(task, { a: 1 }, { idempotencyKey: 'k', timeoutMs: 5 }),
      )
      started[0]?.gate.open('done')
      await world.finish(first)
      const finished = await world.until(executor.enqueueTask(task, { a: 1 }, options))
      assert.deepEqual([waiting, running, finished].map(idOf), Array(3).fill(idOf(first)))
      const end = await world.finish(finished)
      assert.equal(end.status === 'completed' && end.output, 'done')
      assert.equal(end.timeoutMs, 3_600_000)
      assert.equal((await world.rows()).length, 1)
      assert.equal(started.length, 1)
    },
  ),

  engineCase(
    'key.id',
    'the id is the same everywhere, and different for other tasks and keys',
    async (world) => {
      const executors = [world.newExecutor(), world.newExecutor()] as const
      const ids: Array<string | undefined> = []
      for (const executor of executors) {
        const task = quickTask(executor, 'work')
        const other = quickTask(executor, 'work2')
        for (const idempotencyKey of ['k', '2', 'K', '\uD800', 'ü'.repeat(255)]) {
          ids.push(idOf(await world.until(executor.enqueueTask(task, 1, { idempotencyKey }))))
        }
        ids.push(idOf(await world.until(executor.enqueueTask(other, 1, { idempotencyKey: 'k' }))))
      }
      assert.deepEqual(ids.slice(0, 6), ids.slice(6))
      assert.equal(new Set(ids).size, 6)
      assert.ok(
        ids.every((id) => /^te_k[0-9a-f]{32}$/.test(id ?? '')),
        ids.join(),
      )
      const drawn = await world.until(executors[0].enqueueTask({ id: 'work' }, 1))
      assert.doesNotMatch(idOf(drawn) ?? '', /^te_k/)
    },
  ),

  engineCase(
    'key.other_input',
    'another input is refused while the execution waits and when it has ended',
    async (world) => {
      const executor = world.newExecutor()
      const checked = executor
        .validateInput<number, unknown>((input) => Number(input))
        .task({ id: 'work', timeoutMs: 1_000, run: (_ctx, input) => input })
      const handle = await world.until(executor.enqueueTask(checked, '1', { idempotencyKey: 'k' }))
      await assertRefused(() => executor.enqueueTask(checked, 2, { idempotencyKey: 'k' }), USED)
      await world.until(executor.start())
      await world.finish(handle)
      await assertRefused(() => world.until(executor.enqueueTask(checked, 2, { idempotencyKey: 'k' })), USED)
      // What counts is what the check made of it.
      const same = await world.until(executor.enqueueTask(checked, '1.0', { idempotencyKey: 'k' }))
      assert.equal(idOf(same), idOf(handle))
      assert.equal((await world.rows()).length, 1)
    },
  ),

  engineCase('key.valid', 'a key that is none is refused', async (world) => {
    const executor = world.newExecutor()
    const task = quickTask(executor, 'work')
    for (const idempotencyKey of ['', 'k'.repeat(256), 5, {}, true]) {
      await assertRefused(
        () => executor.enqueueTask(task, 1, { idempotencyKey: idempotencyKey as string }),
        /^Invalid idempotencyKey for task work: it must be a text of 1 to 255 characters \(limit: nameLength\), got /,
      )
    }
    assert.deepEqual(await world.rows(), [])
  }),

  engineCase('key.not_of_child', 'a child that is returned with a key fails its parent', async (world) => {
    const executor = world.newExecutor()
    const child = quickTask(executor, 'child')
    const parent = defineParentOf(executor, 'parent', [
      { task: child, input: 1, options: { idempotencyKey: 'k' } },
    ])
    await world.until(executor.start())
    const end = await world.finish(await world.until(executor.enqueueTask(parent, undefined)))
    assert.equal(end.status, 'failed')
    assert.match(end.error.message, /^Option idempotencyKey of child task child is not possible/)
  }),
]

const manyCases: Array<EngineConformanceCase> = [
  engineCase(
    'key.many',
    'each input may have a key, and one that comes twice or is there already is one execution',
    async (world) => {
      const executor = world.newExecutor()
      const ran: Array<unknown> = []
      const task = quickTask(executor, 'work', (_ctx, input) => ran.push(input))
      const there = await world.until(executor.enqueueTask(task, 'b', { idempotencyKey: 'b' }))
      const inputs = [
        { input: 'a', options: { idempotencyKey: 'a' } },
        'plain',
        { input: 'b', options: { idempotencyKey: 'b' } },
        { input: 'a', options: { idempotencyKey: 'a' } },
      ]
      const handles = await world.until(executor.enqueueTasks(task, inputs))
      assert.equal(idOf(handles[2]), idOf(there))
      assert.equal(idOf(handles[3]), idOf(handles[0]))
      const again = await world.until(
        executor.enqueueTasks(
          task,
          inputs.filter((_, index) => index !== 1),
        ),
      )
      assert.deepEqual(again.map(idOf), [handles[0], handles[2], handles[3]].map(idOf))
      const ofCall = await world.until(executor.enqueueTasks(task, ['c', 'c'], { idempotencyKey: 'c' }))
      assert.equal(idOf(ofCall[0]), idOf(ofCall[1]))
      await world.until(executor.start())
      await untilTrue(world, () => ran.length >= 4)
      await world.clock.advance('1m')
      assert.deepEqual(ran.toSorted(), ['a', 'b', 'c', 'plain'])
    },
  ),

  engineCase(
    'key.many_refused',
    'none of many is enqueued if a key was used with another input, before or in the same call',
    async (world) => {
      const executor = world.newExecutor()
      const task = quickTask(executor, 'work')
      await world.until(executor.enqueueTask(task, 1, { idempotencyKey: 'k' }))
      const keyed = (input: unknown, idempotencyKey: string): { input: unknown; options: object } => ({
        input,
        options: { idempotencyKey },
      })
      await assertRefused(
        () => world.until(executor.enqueueTasks(task, ['plain', keyed(1, 'new'), keyed(2, 'k')])),
        USED,
      )
      await assertRefused(
        () => world.until(executor.enqueueTasks(task, [keyed(3, 'new'), keyed(4, 'new')])),
        'Idempotency key new of task work was used with another input',
      )
      await assertRefused(
        () => world.until(executor.enqueueTasks(task, [1, 2], { idempotencyKey: 'k' })),
        USED,
      )
      assert.equal((await world.rows()).length, 1)
    },
  ),
]

const rivalCases: Array<EngineConformanceCase> = [
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
          const ran: Array<unknown> = []
          const task = quickTask(executor, 'work', (_ctx, input) => ran.push(input))
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

export const KEY_CASES: Array<EngineConformanceCase> = [...singleCases, ...manyCases, ...rivalCases]
