/** Cases: what can be remembered, how much, and what that costs. */

import assert from 'node:assert/strict'

import { LIMITS } from '../../../base/limits.ts'
import { type DurableStorage, type DurableStorageTx } from '../../../storage/contract.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { HOUR, suspended } from './durable-lives.ts'

export const REMEMBERING_RULES: Record<string, string> = {
  'resume.linear': 'A run that goes on reads all that is remembered in few reads, and each row once.',
  'memory.limit': 'An execution remembers ten thousand things, and fails for good beyond that.',
  'step.linear': 'Steps without a wait between them cost the same each, however many there are.',
}

/** The storage, where what each call of an operation answers is told. */
function withAnswerListener(
  storage: DurableStorage,
  onAnswer: (operation: string, answer: unknown) => void,
): DurableStorage {
  const listened = (tx: DurableStorageTx): DurableStorageTx =>
    new Proxy(tx, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        return typeof member === 'function'
          ? async (...args: Array<unknown>): Promise<unknown> => {
              const answer: unknown = await (Reflect.apply(member, target, args) as unknown)
              onAnswer(String(name), answer)
              return answer
            }
          : member
      },
    })
  return { withTransaction: (fn, hint) => storage.withTransaction((tx) => fn(listened(tx)), hint) }
}

export const REMEMBERING_CASES: Array<EngineConformanceCase> = [
  engineCase('step.linear', 'a hundred steps cost ten times what ten do', async (world) => {
    let calls = 0
    const counted = { ...world.storage }
    counted.withTransaction = async (fn, hint) => {
      calls += 1
      return await world.storage.withTransaction(fn, hint)
    }
    const working = world.newExecutor({ storage: counted })
    const task = working.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx, steps: number) => {
        for (let index = 0; index < steps; index += 1) {
          await ctx.step('one', () => index)
        }
        return steps
      },
    })
    await world.until(working.start())
    const costOf = async (steps: number): Promise<number> => {
      const before = calls
      await world.finish(await working.enqueueTask(task, steps))
      return calls - before
    }
    const few = await costOf(10)
    const many = await costOf(100)
    assert.ok(many <= few + 2 * 90 + 40, `${few} transactions for 10 steps, ${many} for 100`)
  }),

  engineCase(
    'resume.linear',
    'a run that goes on reads what is remembered once, and no row twice',
    async (world) => {
      let reads = 0
      let rowsRead = 0
      const storage = withAnswerListener(world.storage, (operation, answer) => {
        if (operation.startsWith('get') && Array.isArray(answer)) {
          reads += 1
          rowsRead += answer.length
        }
      })
      const executor = world.newExecutor({ storage })
      const task = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx, steps: number) => {
          for (let index = 0; index < steps; index += 20) {
            await Promise.all(Array.from({ length: 20 }, () => ctx.step('one', () => index)))
          }
          await ctx.sleep('nap', 2_000)
          return [reads, rowsRead]
        },
      })
      await world.until(executor.start())
      const costOf = async (steps: number): Promise<[reads: number, rows: number]> => {
        const handle = await executor.enqueueTask(task, steps)
        await suspended(world, handle.getTaskExecutionId())
        const before = [reads, rowsRead] as const
        const end = await world.finish(handle)
        const [atEnd = NaN, rowsAtEnd = NaN] = end.status === 'completed' ? end.output : []
        return [atEnd - before[0], rowsAtEnd - before[1]]
      }
      const few = await costOf(20)
      const many = await costOf(120)
      // Where rows are read by their ids, so many of them are read together.
      assert.ok(many[0] - few[0] <= 100 / 16 + 2, `${few[0]} reads for 20 steps, ${many[0]} for 120`)
      assert.ok(many[1] - few[1] <= 102, `${few[1]} rows for 20 steps, ${many[1]} for 120`)
    },
  ),

  engineCase(
    'memory.limit',
    'an execution that would remember more than ten thousand things fails, and is told what to do',
    async (world) => {
      const executor = world.newExecutor()
      const task = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        retryOptions: { maxAttempts: 3 },
        run: async (ctx, sleeps: number) => {
          await Promise.all(Array.from({ length: sleeps }, (_, index) => ctx.sleep(`nap ${index}`, 0)))
        },
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, LIMITS.recordsPerExecution + 1)
      const end = await world.finish(handle)
      assert.equal(
        end.status === 'failed' && end.error.message,
        `Execution ${handle.getTaskExecutionId()} remembers 10000 steps, sleeps, waits and children, and cannot remember more ` +
          '(limit: recordsPerExecution). Do parts of the work in child executions, with ctx.runTask.',
      )
      assert.equal(end.retryAttempts, 0)
    },
  ),
]
