/** Cases: children that parent tasks await in code, beside those that they return. */

import assert from 'node:assert/strict'

import { type StandardSchemaV1 } from '@standard-schema/spec'

import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR } from './durable-lives.ts'
import { untilRow, waitingTask } from './lives.ts'

export const AWAITED_IN_PARENT_RULES: Record<string, string> = {
  'awaited.priority': 'Children that code awaits have the priority of their parent, unless it says another.',
  'awaited.in_parents': 'The function of a parent task may run children too, but not leave them behind.',
}

export const AWAITED_IN_PARENT_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'awaited.in_parents',
    'a parent task may await children before it returns others',
    async (world) => {
      const executor = world.newExecutor()
      const child = executor.task({ id: 'child', timeoutMs: HOUR, run: (_ctx, input: number) => input + 1 })
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: HOUR,
        runParent: async (ctx, input: number) => {
          const first = await ctx.runTask(child, input)
          return {
            output: first,
            childrenTasks: [
              { task: child, input: 10 },
              { task: child, input: 20 },
            ],
          }
        },
        finalizeTask: {
          id: 'sum',
          timeoutMs: HOUR,
          run: async (ctx, { output, childrenTasksOutputs }) => {
            const own = await ctx.step('own', () => 1)
            return childrenTasksOutputs.reduce((sum, one) => sum + (one.output as number), output + own)
          },
        },
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(parent, 1))
      assert.equal(end.status === 'completed' && end.output, 2 + 1 + 11 + 21)
    },
  ),

  engineCase(
    'awaited.in_parents',
    'a parent task that returns while it runs children fails',
    async (world) => {
      const executor = world.newExecutor()
      const { task: child, started } = waitingTask(executor, 'child')
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: HOUR,
        runParent: async (ctx) => {
          ctx.runTask(child, 1).catch(() => {})
          await ctx.step('work', async () => {
            await new Promise<void>((resolve) => {
              world.clock.setTimer(3_000, resolve)
            })
          })
          return { output: 1 }
        },
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(parent, undefined)
      const end = await world.finish(handle)
      assert.match(
        end.status === 'failed' ? end.error.message : '',
        /^Task parent returned while children that it started by ctx\.runTask were at work/,
      )
      await untilRow(
        world,
        `${handle.getTaskExecutionId()}:child:1`,
        (row) => row.status === 'cancelled' && row.isClosed,
      )
      started[0]?.gate.open(0)
    },
  ),

  engineCase(
    'awaited.in_parents',
    'a parent that settles is given the ends of the children that it returned, and not of those that it awaited',
    async (world) => {
      const executor = world.newExecutor()
      world.toleratedFailures.set('parent', Infinity)
      const child = executor.task({
        id: 'child',
        timeoutMs: HOUR,
        run: (_ctx, input: string) => {
          if (input.startsWith('bad')) {
            throw new Error(input)
          }
          return input
        },
      })
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: HOUR,
        childrenPolicy: 'settle',
        runParent: async (ctx) => {
          const awaited = await Promise.allSettled(
            ['bad and awaited', 'awaited'].map((input) => ctx.runTask(child, input, { name: input })),
          )
          return {
            output: awaited.map(({ status }) => status),
            childrenTasks: [
              { task: child, input: 'bad and returned' },
              { task: child, input: 'returned' },
            ],
          }
        },
        finalizeTask: {
          id: 'last',
          timeoutMs: HOUR,
          run: (_ctx, { output, childrenTasksOutputs }) => [
            ...output,
            ...childrenTasksOutputs.map((end) =>
              end.status === 'completed' ? end.output : `${end.status} ${end.error.message}`,
            ),
          ],
        },
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(parent, undefined))
      assert.deepEqual(end.status === 'completed' && end.output, [
        'rejected',
        'fulfilled',
        'failed bad and returned',
        'returned',
      ])
    },
  ),

  engineCase(
    'awaited.priority',
    'awaited children have the priority of their parent, unless the code says another',
    async (world) => {
      const executor = world.newExecutor()
      const child = executor.task({ id: 'child', timeoutMs: HOUR, run: (_ctx, input: string) => input })
      const flow = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          await ctx.runTask(child, 'inherits', { name: 'inherits' })
          await ctx.runTask(child, 'own', { name: 'own', priority: -2 })
          await ctx.runTasks([{ task: child, input: 'of many' }])
        },
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(flow, undefined, { priority: 5 })
      const { executionId, status } = await world.finish(handle)
      assert.equal(status, 'completed')
      const priorityOf = async (name: string): Promise<number | undefined> =>
        (await world.row(`${executionId}:${name}:1`)).priority
      assert.deepEqual(
        [await priorityOf('inherits'), await priorityOf('own'), await priorityOf('child')],
        [5, -2, 5],
      )
    },
  ),

  engineCase(
    'awaited.in_parents',
    'a parent whose children are checked for a while is not left for a wait that lost a race',
    async (world) => {
      const executor = world.newExecutor()
      const schema: StandardSchemaV1<number, number> = {
        '~standard': {
          version: 1,
          vendor: 'conformance',
          validate: async (value) => {
            for (let turn = 0; turn < 4; turn += 1) {
              await new Promise<void>((resolve) => {
                setImmediate(resolve)
              })
            }
            return { value: value as number }
          },
        },
      }
      const child = executor
        .inputSchema(schema)
        .task({ id: 'child', timeoutMs: HOUR, run: (_, input) => input })
      const flow = executor.parentTask({
        id: 'flow',
        timeoutMs: HOUR,
        runParent: async (ctx) => {
          await Promise.race([ctx.waitForSignal('stop'), ctx.step('go', () => 1)])
          return { output: 1, childrenTasks: [{ task: child, input: 1 }] }
        },
      })
      await world.until(executor.start())
      assert.equal((await world.finish(await executor.enqueueTask(flow, undefined))).status, 'completed')
    },
  ),

  engineCase(
    'awaited.in_parents',
    'a child that has ended is not at work, though the function did not hear of it',
    async (world) => {
      const executor = world.newExecutor()
      const child = executor.task({ id: 'child', timeoutMs: HOUR, run: () => 1 })
      const flow = executor.parentTask({
        id: 'flow',
        timeoutMs: HOUR,
        runParent: async (ctx) => {
          const lost = ctx.runTask(child, undefined)
          await Promise.race([
            lost,
            ctx.step('long', async () => {
              await untilRow(world, `${ctx.executionId}:child:1`, (row) => row.isClosed)
            }),
          ])
          return { output: 1, childrenTasks: [] }
        },
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(flow, undefined))
      assert.equal(end.status, 'completed')
    },
  ),
]
