/** Cases: steps are done once, and what they came to is remembered. */

import assert from 'node:assert/strict'

import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { createFaultyStorage } from '../../faults.ts'
import { createGate, untilRow, untilTrue } from './lives.ts'

export const STEP_RULES: Record<string, string> = {
  'step.once': 'A step whose result was committed is not done again; the code around it is.',
  'step.same_value': 'What a step gives is what every later run is given: its result, written and read.',
  'step.ordinals': 'The same name may be used many times; each call has a memory of its own.',
  'step.parallel': 'Steps run in parallel, and each is remembered by itself.',
  'step.lost_reply': 'A result that was committed counts, though nobody heard of it.',
  'step.fails':
    'A step that has failed for good rejects; another run of the same attempt throws the same again, and a new attempt does the step again.',
  'step.retries':
    'A step is tried again as its retryOptions say; with a pause of more than a second the execution waits without a slot.',
  'step.times_out':
    'A try that takes longer than the timeoutMs of its step fails, and is told by its abortSignal.',
  'step.cancelled': 'A cancelled execution is told by its signal, and its steps get no more answers.',
  'step.fenced': 'A run that has lost its lease remembers nothing more, and ends.',
  'step.released':
    'A step that obeys when the executor stops has not failed: the execution is run again by others.',
  'step.refused': 'What cannot be remembered, and what no step can be, is refused clearly.',
  'step.linear': 'Steps without a wait between them cost the same each, however many there are.',
  'code.renamed':
    'Steps are found by name: one that is new is done, one that is gone is forgotten, and their order does not matter.',
  'code.changed_kind': 'A name that is remembered as something else is refused, naming both.',
}

const HOUR = 3_600_000

export const STEP_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'step.once',
    'after a crash the step is not done again, and the code around it is',
    async (world) => {
      const done: Array<string> = []
      const gate = createGate()
      const define = (name: string, options = {}): ReturnType<typeof world.newExecutor> => {
        const executor = world.newExecutor({ expireMs: 4_000, ...options })
        executor.task({
          id: 'flow',
          timeoutMs: HOUR,
          run: async (ctx: DurableTaskRunContext, input: number) => {
            done.push(`code ${name}`)
            const paid = await ctx.step('pay', () => {
              done.push(`pay ${name}`)
              return input + 1
            })
            if (name === 'first') {
              await gate.promise
            }
            return paid
          },
        })
        return executor
      }
      const first = define('first')
      await world.until(first.start())
      const handle = await first.enqueueTask<number, number>({ id: 'flow' }, 41)
      await untilTrue(world, () => done.length === 2)
      await world.clock.settle()
      world.kill(first)
      const second = define('second')
      await world.until(second.start())
      const end = await world.finish(
        await second.getTaskHandle<number, number>({ id: 'flow' }, handle.getTaskExecutionId()),
      )
      assert.equal(end.status === 'completed' && end.output, 42)
      assert.deepEqual(done, ['code first', 'pay first', 'code second'])
      gate.open()
    },
  ),

  engineCase(
    'step.same_value',
    'a result comes back as the serializer keeps it, the first time too',
    async (world) => {
      const executor = world.newExecutor()
      const made: Array<unknown> = []
      const task = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          const original = { at: new Date(7), list: [1] }
          const given = await ctx.step('make', () => original)
          made.push(given, given === original)
          await ctx.sleep('nap', 5_000)
          return await ctx.step('nothing', () => undefined)
        },
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(task, undefined))
      assert.equal(end.status, 'completed')
      assert.deepEqual(made, [{ at: new Date(7), list: [1] }, false, { at: new Date(7), list: [1] }, false])
    },
  ),

  engineCase('step.ordinals', 'each call of a name in a loop has a result of its own', async (world) => {
    const executor = world.newExecutor()
    let calls = 0
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        const all: Array<number> = []
        for (let index = 0; index < 3; index += 1) {
          all.push(
            await ctx.step('next', () => {
              calls += 1
              return calls
            }),
          )
          await ctx.sleep('nap', 2_000)
        }
        return all
      },
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(task, undefined))
    assert.deepEqual(end.status === 'completed' && end.output, [1, 2, 3])
    assert.equal(calls, 3)
  }),

  engineCase('step.ordinals', 'names hold any character, and none is taken for another', async (world) => {
    const executor = world.newExecutor()
    const names = [
      'a',
      'a:1',
      'a:1:try:0.0',
      '!state',
      'a%3a1',
      'ä😀',
      'x'.repeat(255),
      ' ',
      '__proto__',
      '\0',
      'a\0:1',
    ]
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        const all: Array<string> = []
        for (const name of [...names, 'a']) {
          all.push(await ctx.step(name, () => `${name} ${all.length}`))
        }
        await ctx.sleep('nap', 2_000)
        return all
      },
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(task, undefined))
    assert.deepEqual(
      end.status === 'completed' && end.output,
      [...names, 'a'].map((name, index) => `${name} ${index}`),
    )
  }),

  engineCase(
    'step.parallel',
    'of parallel steps those that were committed are not done again',
    async (world) => {
      const done: Array<string> = []
      const gate = createGate<number>()
      const define = (name: string): ReturnType<typeof world.newExecutor> => {
        const executor = world.newExecutor({ expireMs: 4_000 })
        executor.task({
          id: 'flow',
          timeoutMs: HOUR,
          run: async (ctx) =>
            await Promise.all(
              [1, 2, 3].map(
                async (number) =>
                  await ctx.step(`part ${number}`, async () => {
                    done.push(`${number} ${name}`)
                    return number === 2 && name === 'first' ? await gate.promise : number
                  }),
              ),
            ),
        })
        return executor
      }
      const first = define('first')
      await world.until(first.start())
      const handle = await first.enqueueTask({ id: 'flow' }, undefined)
      await untilTrue(world, () => done.length === 3)
      await world.clock.settle()
      world.kill(first)
      const second = define('second')
      await world.until(second.start())
      const end = await world.finish(await second.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId()))
      assert.deepEqual(end.status === 'completed' && end.output, [1, 2, 3])
      assert.deepEqual(done, ['1 first', '2 first', '3 first', '2 second'])
      gate.open(0)
    },
  ),

  engineCase(
    'step.lost_reply',
    'a result whose commit was not acknowledged is written once, and counts',
    async (world) => {
      const storage = createFaultyStorage(world.storage)
      const executor = world.newExecutor({ storage })
      let calls = 0
      const task = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          let faults = 1
          storage.failAtCommitWhen(({ operations }) =>
            operations.includes('insertTaskExecutions') && faults-- > 0 ? 'lost_reply' : undefined,
          )
          const first = await ctx.step('pay', () => {
            calls += 1
            return calls
          })
          return first + (await ctx.step('pay', () => 10))
        },
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(task, undefined))
      assert.equal(end.status === 'completed' && end.output, 11)
      assert.equal(calls, 1)
    },
  ),

  engineCase(
    'step.fails',
    'a failed step is not done again in the same attempt, and is in the next',
    async (world) => {
      const executor = world.newExecutor()
      const tries: Array<number> = []
      const seen: Array<string> = []
      const task = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        retryOptions: { maxAttempts: 1 },
        run: async (ctx) => {
          try {
            await ctx.step('charge', () => {
              tries.push(ctx.attempt)
              throw new Error(`declined ${tries.length}`)
            })
          } catch (error) {
            seen.push((error as Error).message)
          }
          await ctx.sleep('nap', 5_000)
          if (ctx.attempt === 0) {
            throw new Error('once more')
          }
          return 'gave up'
        },
      })
      await world.until(executor.start())
      const end = await world.finish(await executor.enqueueTask(task, undefined))
      assert.equal(end.status === 'completed' && end.output, 'gave up')
      assert.deepEqual(tries, [0, 1])
      assert.deepEqual(seen, ['declined 1', 'declined 1', 'declined 2'])
    },
  ),

  engineCase(
    'step.retries',
    'a step is tried again without its execution holding the only slot',
    async (world) => {
      const executor = world.newExecutor({
        maxConcurrentTaskExecutions: 1,
        // Minutes pass, and nobody else writes: what is due is known without looking often.
        backgroundProcessIntraBatchSleepMs: 10_000,
      })
      const tries: Array<number> = []
      const task = executor.task({
        id: 'flow',
        timeoutMs: 2_000,
        run: async (ctx) =>
          await ctx.step(
            'call',
            ({ attempt }) => {
              tries.push(attempt)
              if (attempt < 3) {
                throw new Error('not yet')
              }
              return attempt
            },
            { retryOptions: { maxAttempts: 3, baseDelayMs: 500, delayMultiplier: 100 } },
          ),
      })
      const other = executor.task({ id: 'other', timeoutMs: HOUR, run: () => 'between' })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, undefined)
      await untilTrue(world, () => tries.length === 2)
      const row = await untilRow(world, handle.getTaskExecutionId(), ({ status }) => status === 'ready')
      assert.ok(row.startAt.getTime() - world.clock.now() > 40_000)
      assert.equal(
        (await world.finish(await executor.enqueueTask(other, undefined), 2_000)).status,
        'completed',
      )
      await world.clock.advance('90m')
      const end = await world.finish(handle)
      assert.equal(end.status === 'completed' && end.output, 3)
      assert.equal(end.retryAttempts, 0)
      assert.deepEqual(tries, [0, 1, 2, 3])
    },
  ),

  engineCase('step.retries', 'an error that is not retryable is the end of the step', async (world) => {
    const executor = world.newExecutor()
    let calls = 0
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) =>
        await ctx.step(
          'call',
          () => {
            calls += 1
            throw new TypeError('broken')
          },
          { retryOptions: { maxAttempts: 2 } },
        ),
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(task, undefined))
    assert.equal(end.status === 'failed' && end.error.message, 'broken')
    assert.equal(calls, 3)
  }),

  engineCase('step.times_out', 'a slow try is told, and the next one may succeed', async (world) => {
    const executor = world.newExecutor()
    const told: Array<boolean> = []
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) =>
        await ctx.step(
          'slow',
          async ({ attempt, abortSignal }) => {
            if (attempt === 0) {
              await new Promise<void>((resolve) => {
                abortSignal.addEventListener('abort', () => {
                  told.push(abortSignal.aborted)
                  resolve()
                })
              })
            }
            return attempt
          },
          { timeoutMs: 700, retryOptions: { maxAttempts: 1 } },
        ),
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(task, undefined))
    assert.equal(end.status === 'completed' && end.output, 1)
    assert.deepEqual(told, [true])
  }),

  engineCase(
    'step.cancelled',
    'a cancel fires the signal of a running step, whose result is forgotten',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate<string>()
      const after: Array<string> = []
      let isTold = false
      const task = executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) => {
          try {
            after.push(
              await ctx.step('slow', async ({ cancelSignal }) => {
                cancelSignal.onCancelled(() => {
                  isTold = true
                })
                return await gate.promise
              }),
            )
          } finally {
            after.push('finally')
          }
        },
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, undefined)
      await untilTrue(world, () => executor.getRunningTaskExecutionIds().size === 1)
      await world.clock.settle()
      assert.equal(await world.until(handle.cancel()), true)
      gate.open('late')
      await untilTrue(world, () => executor.getRunningTaskExecutionIds().size === 0)
      assert.equal((await world.finish(handle)).status, 'cancelled')
      assert.equal(isTold, true)
      assert.deepEqual(after, [])
      assert.equal((await world.rows()).length, 1)
    },
  ),

  engineCase(
    'step.fenced',
    'a run that stalled beyond its lease remembers nothing, and its successor goes on',
    async (world) => {
      const gate = createGate<string>()
      const done: Array<string> = []
      const define = (name: string): ReturnType<typeof world.newExecutor> => {
        const executor = world.newExecutor({ expireMs: 4_000 })
        executor.task({
          id: 'flow',
          timeoutMs: HOUR,
          run: async (ctx) => {
            const answer = await ctx.step('ask', async () => (name === 'first' ? await gate.promise : name))
            done.push(`${name} ${answer}`)
            return answer
          },
        })
        return executor
      }
      const first = define('first')
      await world.until(first.start())
      const handle = await first.enqueueTask({ id: 'flow' }, undefined)
      const id = handle.getTaskExecutionId()
      await untilRow(world, id, ({ status }) => status === 'running')
      await world.clock.settle()
      // As another process does that finds the lease lapsed.
      await world.storage.withTransaction(
        async (tx) =>
          await tx.updateTaskExecutions(
            { type: 'by_execution_ids', executionIds: [id] },
            { status: 'ready', unsetExpiresAt: true, startAt: new Date(0), updatedAt: new Date(0) },
          ),
      )
      const second = define('second')
      await world.until(first.shutdown({ graceMs: 0 }).then(async () => await second.start()))
      gate.open('stale')
      const end = await world.finish(await second.getTaskHandle({ id: 'flow' }, id))
      assert.equal(end.status === 'completed' && end.output, 'second')
      assert.deepEqual(done, ['second second'])
    },
  ),

  engineCase('step.released', 'a step that throws as the executor stops has not failed', async (world) => {
    let tries = 0
    const define = (): ReturnType<typeof world.newExecutor> => {
      const executor = world.newExecutor()
      executor.task({
        id: 'flow',
        timeoutMs: HOUR,
        run: async (ctx) =>
          await ctx.step('slow', async ({ cancelSignal }) => {
            tries += 1
            if (tries === 1) {
              await new Promise((_resolve, reject) => {
                cancelSignal.onCancelled(() => reject(new Error('stopped')))
              })
            }
            return tries
          }),
      })
      return executor
    }
    const first = define()
    await world.until(first.start())
    const handle = await first.enqueueTask({ id: 'flow' }, undefined)
    await untilTrue(world, () => tries === 1)
    await world.until(first.shutdown({ graceMs: 0 }))
    const second = define()
    await world.until(second.start())
    const end = await world.finish(await second.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId()))
    assert.equal(end.status === 'completed' && end.output, 2)
    assert.equal(end.retryAttempts, 0)
  }),

  engineCase('step.refused', 'a result that cannot be kept is an error of the step', async (world) => {
    const executor = world.newExecutor()
    const messages: Array<string> = []
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: async (ctx) => {
        const tell = async (call: () => Promise<unknown>): Promise<void> => {
          await call().catch((error: unknown) => messages.push((error as Error).message))
        }
        await tell(async () => await ctx.step('fn', () => () => 1))
        await tell(async () => await ctx.step('', () => 1))
        await tell(async () => await ctx.step('x'.repeat(256), () => 1))
        await tell(async () => await ctx.step('\ud800', () => 1))
        await tell(async () => await ctx.step(7 as never, () => 1))
        await tell(async () => await ctx.step('none', undefined as never))
        await tell(async () => await ctx.step('odd', () => 1, { timeoutMs: 0 }))
        await tell(async () => await ctx.step('odd', () => 1, { retryOptions: { maxAttempts: NaN } }))
        return messages.length
      },
    })
    await world.until(executor.start())
    const end = await world.finish(await executor.enqueueTask(task, undefined))
    assert.equal(end.status === 'completed' && end.output, 8)
    assert.match(messages[0] ?? '', /^Error serializing value/)
    for (const message of messages.slice(1, 5)) {
      assert.match(message, /^Invalid name for ctx\.step: must be a text of 1 to 255 characters/)
    }
    assert.equal(messages[5], 'Step none needs a function')
    assert.match(messages[6] ?? '', /^Invalid timeoutMs for step odd/)
    assert.match(
      messages[7] ?? '',
      /^Invalid retry options for task step odd|^Invalid retry options for step odd/,
    )
  }),

  engineCase('step.refused', 'a call after the run has ended is refused', async (world) => {
    const executor = world.newExecutor()
    let kept: DurableTaskRunContext | undefined
    const task = executor.task({
      id: 'flow',
      timeoutMs: HOUR,
      run: (ctx) => {
        kept = ctx
        return 'over'
      },
    })
    await world.until(executor.start())
    assert.equal((await world.finish(await executor.enqueueTask(task, undefined))).status, 'completed')
    await assert.rejects(
      async () => await kept?.step('late', () => 1),
      /^DurableExecutionError: ctx\.step was called after the run had ended\./,
    )
  }),

  engineCase('step.linear', 'two hundred steps cost two hundred times what one does', async (world) => {
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
    const many = await costOf(200)
    assert.ok(many <= few + 2 * 190 + 40, `${few} transactions for 10 steps, ${many} for 200`)
  }),

  engineCase('code.renamed', 'after a change of the code, steps are found by their names', async (world) => {
    const done: Array<string> = []
    const code = {
      before: async (ctx: DurableTaskRunContext): Promise<string> => {
        const step = async (name: string): Promise<string> =>
          await ctx.step(name, () => note(`before ${name}`))
        await step('kept')
        await step('moved')
        await step('removed')
        await ctx.sleep('nap', 60_000)
        return 'before'
      },
      after: async (ctx: DurableTaskRunContext): Promise<string> => {
        const step = async (name: string): Promise<string> =>
          await ctx.step(name, () => note(`after ${name}`))
        const all = [await step('moved'), await step('added'), await step('kept'), await step('renamed')]
        await ctx.sleep('nap', 60_000)
        return all.join(', ')
      },
    }
    const note = (text: string): string => {
      done.push(text)
      return text
    }
    const define = (run: keyof typeof code): ReturnType<typeof world.newExecutor> => {
      const executor = world.newExecutor()
      executor.task({ id: 'flow', timeoutMs: HOUR, run: code[run] })
      return executor
    }
    const old = define('before')
    await world.until(old.start())
    const handle = await old.enqueueTask({ id: 'flow' }, undefined)
    await untilRow(
      world,
      handle.getTaskExecutionId(),
      (row) => row.status === 'ready' && row.startedAt !== undefined,
    )
    await world.until(old.shutdown())
    const deployed = define('after')
    await world.until(deployed.start())
    const end = await world.finish(await deployed.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId()))
    assert.equal(
      end.status === 'completed' && end.output,
      'before moved, after added, before kept, after renamed',
    )
    assert.deepEqual(done, ['before kept', 'before moved', 'before removed', 'after added', 'after renamed'])
  }),

  engineCase(
    'code.changed_kind',
    'a step that became a sleep is refused, and says what to do',
    async (world) => {
      const define = (isOld: boolean): ReturnType<typeof world.newExecutor> => {
        const executor = world.newExecutor()
        executor.task({
          id: 'flow',
          timeoutMs: HOUR,
          run: async (ctx) => {
            await (isOld ? ctx.step('pause', () => 1) : ctx.sleep('pause', 1))
            await ctx.sleep('nap', 60_000)
          },
        })
        return executor
      }
      const old = define(true)
      await world.until(old.start())
      const handle = await old.enqueueTask({ id: 'flow' }, undefined)
      await untilRow(
        world,
        handle.getTaskExecutionId(),
        (row) => row.status === 'ready' && row.startedAt !== undefined,
      )
      await world.until(old.shutdown())
      const deployed = define(false)
      await world.until(deployed.start())
      const end = await world.finish(
        await deployed.getTaskHandle({ id: 'flow' }, handle.getTaskExecutionId()),
      )
      assert.match(
        end.status === 'failed' ? end.error.message : '',
        /remembers "pause" as a step, and the code asks for a sleep of that name\. Give the new call another name/,
      )
    },
  ),
]
