/** Cases: which options tasks and their executions take. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { assertRefused } from './refusals.ts'

const run = (): string => 'done'

/** Tasks, enqueue options and executor options as a program in plain JavaScript may give them. */
const asGiven = (value: unknown): never => value as never

const define = (executor: DurableExecutor, id: string, options: object = {}): { id: string } =>
  executor.task(asGiven({ id, timeoutMs: 1_000, run, ...options }))

/** Each option with values that are taken and values that are not, and how the error begins. */
const OPTIONS: ReadonlyArray<{ rule: string; error: string; good: Array<object>; bad: Array<object> }> = [
  {
    rule: 'options.max_attempts',
    error: 'Invalid retry options for task X: ',
    good: [{ maxAttempts: 0 }, { maxAttempts: 1_000_000 }].map((retryOptions) => ({ retryOptions })),
    bad: [
      {},
      { baseDelayMs: 1 },
      { maxAttempts: null },
      { maxAttempts: -1 },
      { maxAttempts: 1.5 },
      { maxAttempts: Number.NaN },
      { maxAttempts: Infinity },
      { maxAttempts: '1' },
      [],
      'often',
    ].map((retryOptions) => ({ retryOptions })),
  },
  {
    rule: 'options.delays',
    error: 'Invalid retry options for task X: ',
    good: [
      { baseDelayMs: 0, maxDelayMs: 0 },
      { baseDelayMs: 5, maxDelayMs: null },
      { baseDelayMs: undefined, maxDelayMs: 5 },
    ].map((delays) => ({ retryOptions: { maxAttempts: 1, ...delays } })),
    bad: ['baseDelayMs', 'maxDelayMs'].flatMap((name) =>
      [-1, 0.5, Number.NaN, Infinity, '5', true].map((value) => ({
        retryOptions: { maxAttempts: 1, [name]: value },
      })),
    ),
  },
  {
    rule: 'options.delay_multiplier',
    error: 'Invalid retry options for task X: ',
    good: [0.1, 1, 2.5, null].map((delayMultiplier) => ({
      retryOptions: { maxAttempts: 1, delayMultiplier },
    })),
    bad: [0, 0.09, -1, Number.NaN, Infinity, '2'].map((delayMultiplier) => ({
      retryOptions: { maxAttempts: 1, delayMultiplier },
    })),
  },
  {
    rule: 'options.timeout',
    error: 'Invalid timeout value for task X: ',
    good: [{ timeoutMs: 1 }, { timeoutMs: 35 * 86_400_000 }],
    bad: [0, -1, 1.5, Number.NaN, Infinity, '1000', true].map((timeoutMs) => ({ timeoutMs })),
  },
  {
    rule: 'options.sleep',
    error: 'Invalid sleep ms before run for task X: ',
    good: [-1, 0, 1, 100 * 365 * 86_400_000].map((sleepMsBeforeRun) => ({ sleepMsBeforeRun })),
    bad: [1.5, -0.5, Number.NaN, Infinity, '1'].map((sleepMsBeforeRun) => ({ sleepMsBeforeRun })),
  },
]

const optionCases: Array<EngineConformanceCase> = OPTIONS.flatMap(({ rule, error, good, bad }) => [
  engineCase(rule, `${rule} is checked when a task is defined`, async (world) => {
    const executor = world.newExecutor()
    for (const options of bad) {
      await assertRefused(() => define(executor, 'X', options), new RegExp(`^${error}.`))
    }
    for (const [index, options] of good.entries()) {
      define(executor, `good_${index}`, options)
    }
  }),
  engineCase(rule, `${rule} is checked when a task is enqueued`, async (world) => {
    const executor = world.newExecutor()
    const task = define(executor, 'X')
    for (const options of bad) {
      await assertRefused(
        () => executor.enqueueTask(task, undefined, asGiven(options)),
        new RegExp(`^${error}.`),
      )
    }
    assert.deepEqual(await world.rows(), [])
    for (const options of good) {
      await executor.enqueueTask(task, undefined, asGiven(options))
    }
    assert.equal((await world.rows()).length, good.length)
  }),
])

const rowCases: Array<EngineConformanceCase> = [
  engineCase('options.timeout', 'a task without a timeout is refused', async (world) => {
    await assertRefused(
      () => define(world.newExecutor(), 'X', { timeoutMs: undefined }),
      /^Invalid timeout value for task X: ./,
    )
  }),

  engineCase('options.sleep', 'a negative sleep is kept as no sleep', async (world) => {
    const executor = world.newExecutor()
    const handle = await executor.enqueueTask(define(executor, 'task', { sleepMsBeforeRun: -5 }), undefined)
    assert.equal((await world.row(handle.getTaskExecutionId())).sleepMsBeforeRun, 0)
  }),

  engineCase(
    'options.default_retry',
    'without retry options the row holds that there are none',
    async (world) => {
      const executor = world.newExecutor()
      const handle = await executor.enqueueTask(define(executor, 'task'), undefined)
      assert.deepEqual((await world.row(handle.getTaskExecutionId())).retryOptions, { maxAttempts: 0 })
    },
  ),

  engineCase(
    'options.shape',
    'what is no description of a task is refused, a finalize task’s too',
    async (world) => {
      const executor = world.newExecutor()
      await assertRefused(() => executor.task(asGiven(null)), /^A task needs an object/)
      await assertRefused(
        () => executor.task(asGiven({ id: 'X', timeoutMs: 1 })),
        /^Task X needs a function run$/,
      )
      const parent = { id: 'X', timeoutMs: 1, runParent: run }
      await assertRefused(
        () => executor.parentTask(asGiven({ ...parent, runParent: 1 })),
        /^Task X needs a function runParent$/,
      )
      await assertRefused(
        () => executor.parentTask(asGiven({ ...parent, finalizeTask: 'finish' })),
        /^A task needs an object/,
      )
      await assertRefused(
        () => executor.parentTask(asGiven({ ...parent, finalizeTask: { id: 'finish', timeoutMs: 1 } })),
        /^Task finish needs a function run$/,
      )
    },
  ),

  engineCase(
    'options.enqueue_wins',
    'what is said at the enqueue counts for that execution, the rest is the task’s',
    async (world) => {
      const executor = world.newExecutor()
      const task = executor.task({
        id: 'task',
        timeoutMs: 1_000,
        sleepMsBeforeRun: 50,
        retryOptions: { maxAttempts: 2, baseDelayMs: 10 },
        run,
      })
      const handle = await executor.enqueueTask(task, undefined, {
        retryOptions: { maxAttempts: 5 },
        timeoutMs: 70,
      })
      const { retryOptions, timeoutMs, sleepMsBeforeRun } = await world.row(handle.getTaskExecutionId())
      assert.deepEqual(
        { retryOptions, timeoutMs, sleepMsBeforeRun },
        { retryOptions: { maxAttempts: 5 }, timeoutMs: 70, sleepMsBeforeRun: 50 },
      )
      const other = await executor.enqueueTask(task, undefined)
      assert.equal((await world.row(other.getTaskExecutionId())).timeoutMs, 1_000)
    },
  ),

  engineCase(
    'options.unbuilt_refused',
    'an option that is planned and not built is refused by its name',
    async (world) => {
      const executor = world.newExecutor()
      const task = define(executor, 'task')
      for (const name of PLANNED) {
        await assertRefused(
          () => executor.enqueueTask(task, undefined, asGiven({ [name]: 1 })),
          new RegExp(`^Option ${name} of .* is not supported`),
        )
        await executor.enqueueTask(task, undefined, asGiven({ [name]: null }))
      }
      await assertRefused(
        () => define(executor, 'other', { tags: {} }),
        /^Option tags of .* is not supported/,
      )
      await assertRefused(
        () => world.newExecutor(asGiven({ retention: {} })),
        /^Option retention of .* is not supported/,
      )
    },
  ),
]

const PLANNED = ['queue', 'limitKey']

export const DEFINITION_CASES: Array<EngineConformanceCase> = [...optionCases, ...rowCases]
