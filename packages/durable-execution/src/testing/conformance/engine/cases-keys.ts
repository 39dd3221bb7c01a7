/** Cases: idempotency keys, under which there is one execution however often and by whomever it is enqueued. */

import assert from 'node:assert/strict'

import { type DurableTaskHandle } from '../../../client/handle.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { quickTask, untilTrue, waitingTask } from './lives.ts'
import { assertRefused } from './refusals.ts'
import { defineParentOf } from './trees.ts'

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

/** The id of the execution. */
export const idOf = (handle: DurableTaskHandle<unknown> | undefined): string | undefined =>
  handle?.getTaskExecutionId()

/** How another input under the key `k` is refused. */
export const USED = 'Idempotency key k of task work was used with another input'

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
      const ran: Array<string> = []
      const task = quickTask(executor, 'work', (_ctx, input) => ran.push(String(input)))
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

export const KEY_CASES: Array<EngineConformanceCase> = [...singleCases, ...manyCases]
