/** Cases: what is said of one execution when it is enqueued: when it is to begin, and what it is found by. */

import assert from 'node:assert/strict'

import { LIMITS } from '../../../base/limits.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { quickTask, untilTrue } from './lives.ts'
import { assertRefused } from './refusals.ts'
import { childrenOf, defineParentOf } from './trees.ts'

export const START_AT_TAGS_RULES: Record<string, string> = {
  'start_at.not_before': 'With startAt an execution begins at that moment or later, and does not sleep.',
  'start_at.passed': 'A startAt that has passed means at once, and passes nobody.',
  'start_at.one_way':
    'startAt and sleepMsBeforeRun are not given together; what an input says itself takes the place of what the call says.',
  'start_at.valid': 'startAt is a Date, at most a hundred years from now.',
  'tags.kept': 'Tags are kept with the execution, and shown in every view.',
  'tags.valid': 'Tags are at most 20, their names plain, their values texts of at most 255 characters.',
  'tags.not_inherited': 'Children do not inherit tags, and may have their own.',
}

export const START_AT_TAGS_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'start_at.not_before',
    'an execution begins at the moment it was enqueued for',
    async (world) => {
      const executor = world.newExecutor()
      const startedAt: Array<number> = []
      const task = executor.task({
        id: 'task',
        timeoutMs: 1_000,
        sleepMsBeforeRun: 600_000,
        run: () => startedAt.push(world.clock.now()),
      })
      await world.until(executor.start())
      const at = world.clock.now() + 7_000
      const handle = await world.until(executor.enqueueTask(task, undefined, { startAt: new Date(at) }))
      const { startAt, sleepMsBeforeRun } = await world.row(handle.getTaskExecutionId())
      assert.deepEqual([startAt, sleepMsBeforeRun], [new Date(at), 0])
      await world.finish(handle)
      const [begun = 0] = startedAt
      assert.ok(begun >= at && begun <= at + 600, `it began ${begun - at} ms after its moment`)
    },
  ),

  engineCase(
    'start_at.passed',
    'an execution for a moment that has passed begins at once, after those that are due',
    async (world) => {
      const executor = world.newExecutor({ maxConcurrentTaskExecutions: 1 })
      const order: Array<unknown> = []
      const task = quickTask(executor, 'work', (_ctx, input) => order.push(input))
      await world.until(executor.enqueueTask(task, 'first'))
      await world.clock.advance(100)
      await world.until(executor.enqueueTask(task, 'passed', { startAt: new Date(0) }))
      await world.until(executor.start())
      await untilTrue(world, () => order.length === 2)
      assert.deepEqual(order, ['first', 'passed'])
    },
  ),

  engineCase(
    'start_at.one_way',
    'two ways to say when are refused together, and that of an input counts before that of the call',
    async (world) => {
      const executor = world.newExecutor()
      const task = quickTask(executor, 'task')
      const startAt = new Date(world.clock.now() + 5_000)
      await assertRefused(
        () => executor.enqueueTask(task, 1, { startAt, sleepMsBeforeRun: 5 }),
        /^Invalid startAt for task task: sleepMsBeforeRun is given too/,
      )
      await executor.enqueueTasks(task, [1, { input: 2, options: { startAt } }], { sleepMsBeforeRun: 9_000 })
      await executor.enqueueTasks(task, [3, { input: 4, options: { sleepMsBeforeRun: 9_000 } }], { startAt })
      const rows = await world.rows()
      const startsIn = rows.map((row) => [row.runInput, row.startAt.getTime() - row.createdAt.getTime()])
      assert.deepEqual(Object.fromEntries(startsIn), { 1: 9_000, 2: 5_000, 3: 5_000, 4: 9_000 })
    },
  ),

  engineCase('start_at.valid', 'a startAt that is no moment, or a far one, is refused', async (world) => {
    const executor = world.newExecutor()
    const task = quickTask(executor, 'task')
    const tooFar = new Date(world.clock.now() + LIMITS.delayMs + 1_000)
    for (const startAt of [new Date(NaN), 5, '2030-01-01', {}, tooFar]) {
      await assertRefused(
        () => executor.enqueueTask(task, 1, { startAt: startAt as Date }),
        /^Invalid startAt for task task: it must be a Date, at most a hundred years from now \(limit: delayMs\)/,
      )
    }
    assert.deepEqual(await world.rows(), [])
  }),

  engineCase('tags.kept', 'tags are there before, during and after the run', async (world) => {
    const executor = world.newExecutor()
    const tags = { customer: 'ACME "Inc."', 'region.eu:west/1-a': 'ü\0\n', empty: '' }
    const task = quickTask(executor, 'task')
    const broken = quickTask(executor, 'broken', () => {
      throw new Error('broken')
    })
    const handles = [
      await executor.enqueueTask(task, 1, { tags }),
      await executor.enqueueTask(broken, 1, { tags }),
      await executor.enqueueTask(task, 1, { tags, sleepMsBeforeRun: 600_000 }),
    ]
    const plain = await executor.enqueueTask(task, 1, { tags: {} })
    await world.until(executor.start())
    await handles[2]?.cancel()
    for (const handle of handles) {
      await world.finish(handle)
      assert.deepEqual((await handle.getTaskExecution()).tags, tags)
    }
    assert.deepEqual(Object.keys(await world.finish(plain)).includes('tags'), false)
  }),

  engineCase('tags.valid', 'tags that cannot be kept are refused, and nothing is enqueued', async (world) => {
    const executor = world.newExecutor()
    const task = quickTask(executor, 'task')
    const many = Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`tag${index}`, '']))
    for (const tags of [
      [],
      5,
      new Map(),
      { a: 1 },
      { a: null },
      { 'a b': '' },
      { a: 'x'.repeat(256) },
      many,
    ]) {
      await assertRefused(
        () => executor.enqueueTask(task, 1, { tags: tags as never }),
        /^Invalid tags for task task: /,
      )
    }
    assert.deepEqual(await world.rows(), [])
  }),

  engineCase(
    'tags.not_inherited',
    'a child has the moment and the tags that its parent gives it, and none of the parent’s',
    async (world) => {
      const executor = world.newExecutor()
      const child = quickTask(executor, 'child')
      const startAt = new Date(world.clock.now() + 60_000)
      const parent = defineParentOf(executor, 'parent', [
        { task: child, input: 1 },
        { task: child, input: 2, options: { tags: { part: 'two' }, startAt } },
      ])
      const wrong = defineParentOf(executor, 'wrong', [
        { task: child, input: 1, options: { tags: { 'a b': '' } } },
      ])
      await world.until(executor.start())
      const handle = await executor.enqueueTask(parent, undefined, { tags: { customer: 'ACME' } })
      const refused = await executor.enqueueTask(wrong, undefined)
      await world.finish(handle)
      const [plain, tagged] = await childrenOf(world, handle.getTaskExecutionId())
      assert.equal(plain?.tags, undefined)
      assert.deepEqual(tagged?.startAt, startAt)
      assert.ok(tagged?.startedAt !== undefined && tagged.startedAt >= startAt)
      // A storage may not keep tags.
      assert.deepEqual(tagged?.tags ?? { part: 'two' }, { part: 'two' })
      const end = await world.finish(refused)
      assert.ok(end.status === 'failed' && end.error.message.startsWith('Invalid tags for task child: '))
    },
  ),
]
