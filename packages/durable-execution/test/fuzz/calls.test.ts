/** Calls of executors and handles with any arguments: an error of ours, or what is documented; never one from inside. */

import assert from 'node:assert/strict'

import {
  createInMemoryStorage,
  type DurableChildTask,
  DurableExecutor,
  type DurableTaskHandle,
} from 'durable-execution'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { testProperty } from '../equivalence/runs.ts'
import { text } from '../equivalence/values.ts'
import { errorOf, faultOf, isNothing, oddValue } from './values.ts'

const quiet = { debug: () => {}, info: () => {}, error: () => {} }
const storage = createInMemoryStorage()
const executor = new DurableExecutor(storage, { logger: quiet, maxPayloadBytes: 10_000 })
const task = executor.task({ id: 'task', timeoutMs: 10_000, run: (_ctx, input: unknown) => input })
const parent = executor.parentTask({
  id: 'parent',
  timeoutMs: 10_000,
  runParent: () => ({ output: 1, childrenTasks: children as Array<DurableChildTask> }),
})
let children: unknown
let handle: DurableTaskHandle<unknown>

beforeAll(async () => {
  await executor.start()
  handle = await executor.enqueueTask(task, 1)
  await handle.waitAndGetTaskFinishedExecution()
})

afterAll(async () => {
  await executor.shutdown()
})

const anything = fc.oneof(oddValue, text)

const CALLS: ReadonlyArray<[name: string, call: (value: never, other: never) => unknown, says: RegExp]> = [
  ['new DurableExecutor', (value) => new DurableExecutor(value), /storage/],
  ['task', (value) => executor.task(value), /task|Id/],
  ['parentTask', (value) => executor.parentTask(value), /task|Id/],
  ['validateInput', (value) => executor.validateInput(value), /validateInput/],
  ['inputSchema', (value) => executor.inputSchema(value), /schema/],
  ['sequentialTasks', (value, other) => executor.sequentialTasks(value, other), /Id/],
  ['enqueueTask', (value, other) => executor.enqueueTask(value, other), /task|Task/],
  [
    'enqueueTask with options',
    (value) => executor.enqueueTask(task, 1, value),
    /options|Option|transaction|timeout|retry|sleep/,
  ],
  ['enqueueTasks', (value, other) => executor.enqueueTasks(task, value, other), /task/],
  ['getTaskHandle of a task', (value) => executor.getTaskHandle(value, 'te_1'), /task|Task/],
  ['getTaskHandle of an execution', (value) => executor.getTaskHandle(task, value), /xecution/],
  [
    'shutdown',
    (value) => new DurableExecutor(storage, { logger: quiet }).shutdown({ graceMs: value }),
    /graceMs/,
  ],
]

describe.each(CALLS)('%s', (_name, call, says) => {
  testProperty(
    'with anything does what is documented, or refuses it by an error of ours',
    fc.asyncProperty(anything, anything, async (value, other) => {
      const error = await errorOf(async () => await call(value as never, other as never))
      const isSerializer = error !== undefined && /Error serializing value/.test(String(error.thrown))
      assert.equal(error === undefined || isSerializer ? undefined : faultOf(error.thrown, says), undefined)
    }),
    500,
  )
})

describe('a wait', () => {
  testProperty(
    'takes any signal and interval that is one, and refuses others by name',
    fc.asyncProperty(fc.constantFrom('signal', 'pollingIntervalMs'), anything, async (name, value) => {
      const options = { [name]: value }
      const error = await errorOf(async () => await handle.waitAndGetTaskFinishedExecution(options))
      const isFine =
        isNothing(value) ||
        (name === 'pollingIntervalMs' && typeof value === 'number' && Number.isFinite(value))
      assert.equal(error === undefined, isFine, String(error?.thrown))
      assert.equal(error === undefined ? undefined : faultOf(error.thrown, new RegExp(name)), undefined)
    }),
    500,
  )

  test('takes a signal of either kind', async () => {
    const { signal } = new AbortController()
    const own = { onCancelled: () => {}, clearOnCancelled: () => {}, isCancelled: () => false }
    for (const one of [signal, own]) {
      expect(await handle.waitAndGetTaskFinishedExecution({ signal: one })).toMatchObject({ output: 1 })
    }
  })
})

test('an execution id that is no text does not fail those who ask at the same moment', async () => {
  const id = handle.getTaskExecutionId()
  const [bad, good] = await Promise.allSettled([
    executor.getTaskHandle(task, Symbol('odd') as never),
    executor.getTaskHandle(task, id),
  ])
  expect(bad).toMatchObject({ reason: { message: 'Invalid execution id: must be a text, got Symbol(odd)' } })
  expect(good).toMatchObject({ status: 'fulfilled' })
})

describe('a parent', () => {
  const child = fc.oneof(
    { weight: 1, arbitrary: anything },
    {
      weight: 4,
      arbitrary: fc.record({
        task: fc.oneof(fc.constant({ id: 'task' }), fc.record({ id: anything }), anything),
        input: anything,
        options: fc.oneof(anything, fc.record({ timeoutMs: anything }), fc.record({ transaction: anything })),
      }),
    },
  )

  testProperty(
    'that returns any children ends, and by no error from inside',
    fc.asyncProperty(fc.oneof(anything, fc.array(child, { minLength: 1, maxLength: 3 })), async (given) => {
      children = given
      const running = await executor.enqueueTask(parent, undefined)
      const ended = await running.waitAndGetTaskFinishedExecution()
      const message = 'error' in ended && ended.error !== undefined ? ended.error.message : ''
      assert.ok(['completed', 'failed', 'children_tasks_failed'].includes(ended.status), ended.status)
      assert.ok(
        !/Cannot (?:read|convert|use)|is not (?:a function|iterable|defined)|boom/.test(message),
        message,
      )
    }),
    500,
  )
})

describe('a payload', () => {
  const MOST = 64
  const small = new DurableExecutor(storage, { logger: quiet, maxPayloadBytes: MOST })
  const giver = small.task({
    id: 'giver',
    timeoutMs: 10_000,
    run: (_ctx, length: number) => output.slice(0, length),
  })
  const taker = small.task({ id: 'taker', timeoutMs: 10_000, run: (_ctx, _input: string) => null })
  let output = ''

  beforeAll(async () => {
    await small.start()
  })

  afterAll(async () => {
    await small.shutdown()
  })

  const aroundTheLimit = fc
    .tuple(
      fc.integer({ min: MOST / 4 - 4, max: MOST + 2 }),
      fc.constantFrom('a', 'é', '好', '😀', '"', '\uD83D', '\0'),
    )
    .map(([length, unit]) => unit.repeat(length).slice(0, length))

  testProperty(
    'up to the limit is taken, in and out, and a larger one is refused by its name',
    fc.asyncProperty(aroundTheLimit, async (given) => {
      const isFine = Buffer.byteLength(JSON.stringify(given)) <= MOST
      const error = await errorOf(async () => await small.enqueueTask(taker, given))
      assert.equal(error === undefined, isFine, String(error?.thrown))
      assert.equal(
        error === undefined ? undefined : faultOf(error.thrown, /limit: maxPayloadBytes/),
        undefined,
      )
      output = given
      const running = await small.enqueueTask(giver, given.length)
      const ended = await running.waitAndGetTaskFinishedExecution()
      assert.equal(ended.status, isFine ? 'completed' : 'failed')
      assert.ok(
        ended.status === 'completed'
          ? ended.output === given
          : /limit: maxPayloadBytes/.test(ended.error.message),
      )
    }),
    300,
  )
})
