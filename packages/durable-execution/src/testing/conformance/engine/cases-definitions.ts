/** Cases: what tasks may be called and which options they take. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { assertRefused } from './refusals.ts'

const run = (): string => 'done'

/** Tasks, enqueue options and executor options as a program in plain JavaScript may give them. */
const asGiven = (value: unknown): never => value as never

const define = (executor: DurableExecutor, id: string, options: object = {}): { id: string } =>
  executor.task(asGiven({ id, timeoutMs: 1_000, run, ...options }))

const taskIdCases: Array<EngineConformanceCase> = [
  engineCase(
    'task_id.length',
    'a task id of 255 characters is taken, one of 256 or none is not',
    async (world) => {
      const executor = world.newExecutor()
      assert.equal(define(executor, 'x'.repeat(255)).id.length, 255)
      await assertRefused(() => define(executor, 'x'.repeat(256)), 'Id cannot be longer than 255 characters')
      await assertRefused(() => define(executor, ''), 'Id cannot be empty')
      await assertRefused(() => define(executor, asGiven(undefined)), 'Id cannot be empty')
    },
  ),

  engineCase('task_id.characters', 'a task id has letters, digits and underscores alone', async (world) => {
    const executor = world.newExecutor()
    define(executor, 'Send_mail_2')
    for (const id of ['send-mail', 'send mail', 'send.mail', 'sénd', 'send\n', ' send']) {
      await assertRefused(
        () => define(executor, id),
        'Id can only contain alphanumeric characters and underscores',
      )
    }
  }),

  engineCase(
    'task_id.unique',
    'a second task of the same id is refused on one executor, not on another',
    async (world) => {
      const executor = world.newExecutor()
      define(executor, 'once')
      await assertRefused(
        () => define(executor, 'once'),
        'Task once already exists. Use unique ids for tasks',
      )
      await assertRefused(
        () => executor.validateInput((input: string) => input).task({ id: 'once', timeoutMs: 1, run }),
        'Task once already exists. Use unique ids for tasks',
      )
      define(world.newExecutor(), 'once')
    },
  ),

  engineCase(
    'task_id.finalize_is_a_task',
    'a finalize task has an id of its own among all others',
    async (world) => {
      const executor = world.newExecutor()
      define(executor, 'taken')
      const parent = (id: string, finalizeId: string): { id: string } =>
        executor.parentTask({
          id,
          timeoutMs: 1_000,
          runParent: () => ({ output: 1 }),
          finalizeTask: { id: finalizeId, timeoutMs: 1_000, run },
        })
      await assertRefused(() => parent('parent', 'taken'), /^Task taken already exists/)
      await assertRefused(() => parent('same', 'same'), /^Task same already exists/)
      await assertRefused(() => parent('parent', 'not-an-id'), /^Id can only contain/)
      parent('parent', 'finish')
      await assertRefused(() => define(executor, 'finish'), /^Task finish already exists/)
    },
  ),

  engineCase(
    'task_id.refused_registers_nothing',
    'of a refused definition no part is known afterwards',
    async (world) => {
      const executor = world.newExecutor()
      define(executor, 'taken')
      await assertRefused(
        () =>
          executor.parentTask({
            id: 'parent',
            timeoutMs: 1_000,
            runParent: () => ({ output: 1 }),
            finalizeTask: {
              id: 'middle',
              timeoutMs: 1_000,
              runParent: () => ({ output: 1 }),
              finalizeTask: { id: 'taken', timeoutMs: 1_000, run },
            },
          }),
        /^Task taken already exists/,
      )
      await assertRefused(() => define(executor, 'slow', { timeoutMs: 0 }), /^Invalid timeout value/)
      for (const id of ['parent', 'middle', 'slow']) {
        await assertRefused(
          () => executor.enqueueTask({ id }, undefined),
          new RegExp(`^Task ${id} not found`),
        )
        define(executor, id)
      }
    },
  ),
]

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

const PLANNED = [
  'idempotencyKey',
  'startAt',
  'tags',
  'queue',
  'limitKey',
  'deadlineMs',
  'transaction',
  'priority',
]

export const DEFINITION_CASES: Array<EngineConformanceCase> = [...taskIdCases, ...optionCases, ...rowCases]
