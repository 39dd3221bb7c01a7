/** Options with any values are taken as documented, or refused by name; what is refused leaves nothing behind. */

import assert from 'node:assert/strict'

import {
  createInMemoryStorage,
  type DurableExecutorOptions,
  type DurableTaskEnqueueOptions,
  DurableExecutor,
} from 'durable-execution'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { type ExecutionRow } from '../../src/machine/execution.ts'
import { ALL_STATUSES } from '../../src/machine/status.ts'
import { type DurableStorage } from '../../src/storage/contract.ts'
import { testProperty } from '../equivalence/runs.ts'
import { ENQUEUE_RULES, EXECUTOR_RULES, naming, type Rule, TASK_RULES, wrongNames } from './option-rules.ts'
import { errorOf, faultOf, isNothing, mine, oddValue } from './values.ts'

const quiet = (): void => {}
const nearlyRight = fc.constantFrom<unknown>(
  { maxAttempts: 1 },
  { maxAttempts: 0, baseDelayMs: 1, maxDelayMs: 0, delayMultiplier: 0.1 },
  { maxAttempts: 0, delayMultiplier: 0.09 },
  { maxAttempts: 1.5 },
  { maxAttempts: 0, baseDelayMs: {} },
  { maxAttempts: Object.create(null) as object },
  { baseDelayMs: 1 },
  { debug: quiet, info: quiet, error: quiet },
  { debug: quiet, info: quiet },
  { debug: quiet, info: quiet, error: 'x' },
  { serialize: quiet, deserialize: quiet },
  { serialize: quiet },
  { serialize: quiet, deserialize: {} },
  quiet,
  { customer: 'ACME', 'a.b:c/d-e': '' },
  { 'a b': 'x' },
  new Date(0),
  new Date(8.64e15),
  'task_1',
  'a'.repeat(255),
  'a'.repeat(256),
  'a b',
  'task\n',
)

/** Options of which some are not as they should be. */
const optionsOf = (
  rules: Readonly<Record<string, Rule>>,
  max: number,
): fc.Arbitrary<Record<string, unknown>> =>
  fc
    .uniqueArray(fc.tuple(fc.constantFrom(...Object.keys(rules)), fc.oneof(oddValue, nearlyRight)), {
      maxLength: max,
      selector: ([name]) => name,
    })
    .map((entries) => Object.fromEntries(entries))

async function rowsOf(storage: DurableStorage): Promise<Array<ExecutionRow>> {
  return await storage.withTransaction(
    async (tx) => await tx.getTaskExecutions({ type: 'by_statuses', statuses: [...ALL_STATUSES] }),
  )
}

/** Fails unless what was thrown says which of these is wrong; or if nothing was, though one of them is. */
function assertTold(wrong: Array<string>, error: { thrown: unknown } | undefined): void {
  if (wrong.length === 0) {
    assert.equal(error, undefined, `refused, though nothing is wrong: ${String(error?.thrown)}`)
    return
  }
  assert.ok(error, `taken, though ${wrong.join(', ')} is wrong`)
  assert.equal(faultOf(error.thrown, naming(wrong)), undefined)
}

const right = { id: 'task', timeoutMs: 1_000, run: () => 1 }

describe('an executor', () => {
  testProperty(
    'takes the options that are documented, and refuses others by name',
    fc.asyncProperty(optionsOf(EXECUTOR_RULES, 3), async (options) => {
      const error = await errorOf(() => new DurableExecutor(createInMemoryStorage(), options))
      assertTold(wrongNames(EXECUTOR_RULES, options), error)
    }),
    1_000,
  )

  test.each([
    [{ logger: {} }, 'Invalid logger: must have the functions debug, info, error; its debug is undefined'],
    [
      { logger: { debug: quiet, info: quiet } },
      'Invalid logger: must have the functions debug, info, error; its error is undefined',
    ],
    [
      { serializer: {} },
      'Invalid serializer: must have the functions serialize, deserialize; its serialize is undefined',
    ],
    [{ enableDebug: 'yes' }, 'Invalid enableDebug: must be true or false, got string'],
    [5, 'Invalid options of DurableExecutor: they must be an object, got 5'],
    [
      { maxConcurent: 3 },
      'Unknown option maxConcurent of DurableExecutor. It has serializer, logger, enableDebug, expireMs, ' +
        'backgroundProcessIntraBatchSleepMs, maxConcurrentTaskExecutions, maxLosses, maxPayloadBytes. ' +
        'Correct the name, or leave it out.',
    ],
  ])('says what is wrong with %o', (options, message) => {
    const create = (): unknown =>
      new DurableExecutor(createInMemoryStorage(), options as DurableExecutorOptions)
    expect(create).toThrow(expect.objectContaining({ message, isRetryable: false }))
  })

  test('does not mind an unknown option that says nothing', () => {
    const options: object = { unknown: undefined, other: null }
    expect(new DurableExecutor(createInMemoryStorage(), options)).toBeInstanceOf(DurableExecutor)
  })
})

describe('a task', () => {
  testProperty(
    'is defined as documented, or refused by name and not defined at all',
    fc.asyncProperty(optionsOf(TASK_RULES, 2), async (changed) => {
      const storage = createInMemoryStorage()
      const executor = new DurableExecutor(storage)
      const options = { ...right, ...changed }
      const error = await errorOf(() => executor.task(options))
      const wrong = wrongNames(TASK_RULES, options)
      assertTold(wrong, error)
      if (wrong.length > 0) {
        const id = wrong.includes('id') ? 'task' : options.id
        await assert.rejects(executor.enqueueTask({ id }, 1), /not found/)
        executor.task({ ...right, id })
        return
      }
      await executor.enqueueTask({ id: options.id }, 1)
      const [row] = await rowsOf(storage)
      assert.ok(row)
      assertResolved(row, options)
    }),
    1_000,
  )

  testProperty(
    'is defined together with its finalize task, or neither is',
    fc.asyncProperty(
      optionsOf(TASK_RULES, 1),
      fc.oneof(optionsOf(TASK_RULES, 1), oddValue, fc.record({ id: fc.constantFrom('task', 'final') })),
      async (changed, given) => {
        const executor = new DurableExecutor(createInMemoryStorage())
        const isPart = typeof given === 'object' && given !== null
        const finalizeTask = isPart ? { ...right, id: 'finalize', ...given } : given
        const options = { ...right, runParent: () => ({ output: 1 }), run: quiet, ...changed, finalizeTask }
        const error = await errorOf(() => executor.parentTask(options as never))
        if (error === undefined) {
          assert.ok(isPart || isNothing(given), 'a finalize task is an object')
          assert.throws(() => executor.task({ ...right, id: options.id }), /already exists/)
          return
        }
        assert.equal(faultOf(error.thrown, /./), undefined)
        executor.task({ ...right, id: 'finalize' })
        executor.task({ ...right, id: 'task' })
      },
    ),
    1_000,
  )

  test('that is its own finalize task is refused', () => {
    const executor = new DurableExecutor(createInMemoryStorage())
    const options: Record<string, unknown> = { ...right, runParent: () => ({ output: 1 }) }
    options['finalizeTask'] = options
    expect(() => executor.parentTask(options as never)).toThrow(
      'Invalid finalizeTask of task task: they are nested more than 1000 deep (limit: depth)',
    )
  })

  test('whose options throw when they are read is not defined, and their own error is passed on', () => {
    const executor = new DurableExecutor(createInMemoryStorage())
    for (const name of ['timeoutMs', 'retryOptions', 'run', 'maxLosses', 'priority']) {
      const options = Object.defineProperties({ ...right }, Object.getOwnPropertyDescriptors(mine(name)))
      expect(() => executor.task(options), name).toThrow('boom')
    }
    expect(executor.task(right).id).toBe('task')
  })
})

describe('an enqueue', () => {
  testProperty(
    'takes the options that are documented, and refuses others by name and writes nothing',
    fc.asyncProperty(optionsOf(ENQUEUE_RULES, 3), fc.boolean(), async (options, isMany) => {
      const storage = createInMemoryStorage()
      const executor = new DurableExecutor(storage)
      const task = executor.task(right)
      const given = options as DurableTaskEnqueueOptions
      const error = await errorOf(
        async () =>
          await (isMany ? executor.enqueueTasks(task, [1, 1], given) : executor.enqueueTask(task, 1, given)),
      )
      const wrong = wrongNames(ENQUEUE_RULES, options)
      if (!isNothing(options['startAt']) && !isNothing(options['sleepMsBeforeRun'])) {
        wrong.push('startAt')
      }
      assertTold(wrong, error)
      const rows = await rowsOf(storage)
      assert.equal(rows.length, wrong.length > 0 ? 0 : isMany && isNothing(options['idempotencyKey']) ? 2 : 1)
      for (const row of rows) {
        assertResolved(row, { ...right, ...withoutNothing(options) })
      }
    }),
    1_000,
  )

  testProperty(
    'of many inputs with options of their own writes all or nothing',
    fc.asyncProperty(
      fc.array(fc.oneof(optionsOf(ENQUEUE_RULES, 1), oddValue), { maxLength: 4 }),
      async (all) => {
        const storage = createInMemoryStorage()
        const executor = new DurableExecutor(storage)
        const inputs = all.map((options) => ({ input: 1, options }))
        const error = await errorOf(async () => await executor.enqueueTasks(executor.task(right), inputs))
        const areFine = all.every(
          (one) => isNothing(one) || (typeof one === 'object' && wrongNames(ENQUEUE_RULES, one).length === 0),
        )
        assert.equal(error === undefined, areFine, String(error?.thrown))
        assert.equal(error === undefined ? undefined : faultOf(error.thrown, /task/), undefined)
        assert.equal((await rowsOf(storage)).length, areFine ? executionsOf(all).length : 0)
      },
    ),
    500,
  )
})

/** Of those with a key, one for each key. */
function executionsOf(all: Array<unknown>): Array<unknown> {
  const keys = all.map(
    (options) => (options as { idempotencyKey?: unknown } | null | undefined)?.idempotencyKey,
  )
  return keys.filter((key, index) => isNothing(key) || keys.indexOf(key) === index)
}

function withoutNothing(options: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => !isNothing(value)))
}

/** Fails unless the row holds what the options say. */
function assertResolved(row: ExecutionRow, given: Record<string, unknown>): void {
  const retry = withoutNothing(given['retryOptions'] ?? { maxAttempts: 0 })
  const names = ['maxAttempts', 'baseDelayMs', 'maxDelayMs', 'delayMultiplier'].filter(
    (name) => name in retry,
  )
  assert.deepEqual(row.retryOptions, Object.fromEntries(names.map((name) => [name, retry[name]])))
  assert.equal(row.timeoutMs, given['timeoutMs'])
  assert.equal(row.sleepMsBeforeRun, Math.max(0, (given['sleepMsBeforeRun'] ?? 0) as number))
  assert.deepEqual(row.tags ?? {}, { ...(given['tags'] as object | undefined) })
  const deadlineMs = given['deadlineMs'] as number | undefined
  const endsInMs =
    row.deadlineAt === undefined ? undefined : row.deadlineAt.getTime() - row.createdAt.getTime()
  assert.equal(endsInMs, deadlineMs === undefined ? undefined : Math.ceil(deadlineMs))
}
