/** A user's own test that lets the process die everywhere: what it lets pass, and what it finds. */

import { expect, test } from 'vitest'

import { DurableExecutionError, type DurableExecutor, type DurableTask } from '../index.ts'
import {
  CrashDifferenceError,
  crashEverywhere,
  type CrashTaskDefinition,
  type Outside,
  TestKitError,
} from './index.ts'

const HOUR = 3_600_000

/** Charges under a key or without one, then writes a receipt. */
function payment(isKeyed: boolean): CrashTaskDefinition<string, string> {
  return (executor, outside) =>
    executor.task({
      id: 'pay',
      timeoutMs: 60_000,
      run: async (ctx, order: string) => {
        await outside.record('charged', { order, amount: 30 }, isKeyed ? { key: ctx.executionId } : {})
        await outside.record('receipt', { order }, { key: ctx.executionId })
        return `paid ${order}`
      },
    })
}

/** What it rejects with; fails if it does not. */
async function rejectionOf(promise: Promise<unknown>): Promise<Error> {
  return await promise.then(
    () => expect.fail('it did not reject'),
    (error: unknown) => error as Error,
  )
}

test('a task whose effects have keys comes out the same wherever its process dies', async () => {
  const report = await crashEverywhere(payment(true), 'A-1')
  expect(report.outcome).toMatchObject({ status: 'completed', output: 'paid A-1' })
  expect(report.outcome.effects.map(({ name, details }) => [name, details])).toEqual([
    ['charged', { order: 'A-1', amount: 30 }],
    ['receipt', { order: 'A-1' }],
  ])
  const names = report.tried.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['effect:1:before', 'effect:1:after', 'effect:2:after']))
  // The insert is the first call that counts, and what it promised it promised by its commit.
  expect(names[0]).toBe('storage:1:reply')
  for (const moment of ['before', 'commit', 'reply']) {
    expect(names).toContain(`storage:2:${moment}`)
  }
  expect(report.missed).toEqual([])
  expect(report.leftOut).toEqual([])
})

test('a charge without a key is found at the point right after it, and told with both values', async () => {
  const error = await rejectionOf(crashEverywhere(payment(false), 'A-1'))
  expect(error).toBeInstanceOf(CrashDifferenceError)
  expect(error.message).toBe(
    `A crash changes what comes of this task. The process died after effect 1, "charged"; another took over, and the effects differed.
  without a crash: charged { amount: 30, order: 'A-1' }
                   receipt { order: 'A-1' }
  with the crash:  charged { amount: 30, order: 'A-1' } (2 times)
                   receipt { order: 'A-1' }
To run this point alone, give the option: only: 'effect:1:after'`,
  )
})

test('the point of an error can be run alone', async () => {
  const again = await rejectionOf(crashEverywhere(payment(false), 'A-1', { only: 'effect:1:after' }))
  expect(again).toBeInstanceOf(CrashDifferenceError)
  const before = await crashEverywhere(payment(false), 'A-1', { only: 'effect:1:before' })
  expect(before.tried.map(({ name }) => name)).toEqual(['effect:1:before'])
  expect(before.leftOut.length).toBeGreaterThan(5)
})

test('the same task has the same points in the same order', async () => {
  const reports = [await crashEverywhere(payment(true), 'A-1'), await crashEverywhere(payment(true), 'A-1')]
  expect(reports[0]).toEqual(reports[1])
})

test('retries with hours between them are gone through too', async () => {
  const report = await crashEverywhere(
    (executor, outside) =>
      executor.task({
        id: 'flaky',
        timeoutMs: 60_000,
        retryOptions: { maxAttempts: 2, baseDelayMs: 5 * HOUR },
        run: async (ctx) => {
          await outside.record(
            'tried',
            { attempt: ctx.attempt },
            { key: `${ctx.executionId}/${ctx.attempt}` },
          )
          if (ctx.attempt < 2) {
            throw new Error('Not yet')
          }
          return ctx.attempt
        },
      }),
    undefined,
  )
  expect(report.outcome).toMatchObject({ status: 'completed', output: 2 })
  expect(report.outcome.effects).toHaveLength(3)
  expect(report.tried.length).toBeGreaterThan(20)
  expect(report.missed).toEqual([])
})

test('a task that fails in the end fails so after every crash', async () => {
  const report = await crashEverywhere(
    (executor) =>
      executor.task({
        id: 'failing',
        timeoutMs: 60_000,
        retryOptions: { maxAttempts: 1 },
        run: () => {
          throw new Error('Out of stock')
        },
      }),
    undefined,
  )
  expect(report.outcome).toEqual({
    status: 'failed',
    error: { errorType: 'generic', message: 'Out of stock', isRetryable: true },
    effects: [],
    executions: { failing: 1 },
  })
})

test('a parent whose child or finalize task fails ends with their errors after every crash', async () => {
  const failing =
    (isChild: boolean): CrashTaskDefinition<undefined, unknown> =>
    (executor) => {
      const fail = (message: string): never => {
        throw new DurableExecutionError(message, false)
      }
      const child = executor.task({
        id: 'child',
        timeoutMs: 60_000,
        run: () => (isChild ? fail('No child') : 1),
      })
      return executor.parentTask({
        id: 'parent',
        timeoutMs: 60_000,
        runParent: () => ({ output: 1, childrenTasks: [{ task: child, input: 1 }] }),
        finalizeTask: { id: 'finalize', timeoutMs: 60_000, run: () => fail('No end') },
      })
    }
  const error = (message: string): object => ({ errorType: 'generic', message, isRetryable: false })
  const byChild = await crashEverywhere(failing(true), undefined)
  expect(byChild.outcome).toEqual({
    status: 'children_tasks_failed',
    childrenErrors: [{ index: 0, error: error('No child') }],
    effects: [],
    executions: { parent: 1, child: 1 },
  })
  const byFinalize = await crashEverywhere(failing(false), undefined)
  expect(byFinalize.outcome).toEqual({
    status: 'finalize_task_failed',
    error: error('No end'),
    effects: [],
    executions: { parent: 1, child: 1, finalize: 1 },
  })
})

/** Packs each item as a child of its own, and ships them together. */
function shipment(
  shipKey: (executionId: string) => { key?: string },
): CrashTaskDefinition<Array<string>, number> {
  return (executor, outside) => {
    const pack = executor.task({
      id: 'pack',
      timeoutMs: 60_000,
      run: async (ctx, item: string) => {
        await outside.record('packed', item, { key: ctx.executionId })
        return item.length
      },
    })
    return executor.parentTask({
      id: 'ship',
      timeoutMs: 60_000,
      runParent: (_ctx, items: Array<string>) => ({
        output: items.length,
        childrenTasks: items.map((input) => ({ task: pack, input })),
      }),
      finalizeTask: {
        id: 'hand_over',
        timeoutMs: 60_000,
        run: async (ctx, { childrenTasksOutputs }) => {
          await outside.record('shipped', { parcels: childrenTasksOutputs.length }, shipKey(ctx.executionId))
          return childrenTasksOutputs.reduce((sum, { output }) => sum + Number(output), 0)
        },
      },
    })
  }
}

test('a parent, its children and its finalize task come out the same wherever the process dies', async () => {
  const report = await crashEverywhere(
    shipment((key) => ({ key })),
    ['lamp', 'table', 'chair'],
  )
  expect(report.outcome).toMatchObject({ status: 'completed', output: 14 })
  expect(report.outcome.effects).toHaveLength(4)
  expect(report.tried.filter(({ name }) => name.startsWith('effect:'))).toHaveLength(8)
  expect(report.missed).toEqual([])
})

test('an effect without a key is found in a finalize task', async () => {
  const error = await rejectionOf(
    crashEverywhere(
      shipment(() => ({})),
      ['lamp', 'table'],
    ),
  )
  expect(error).toMatchObject({ what: 'effects', point: { description: 'after effect 3, "shipped"' } })
})

test('a parent without a finalize task is the same, though its children have other ids after a crash', async () => {
  const report = await crashEverywhere((executor) => {
    const child = executor.task({ id: 'child', timeoutMs: 60_000, run: (ctx) => ctx.executionId })
    return executor.parentTask({
      id: 'parent',
      timeoutMs: 60_000,
      runParent: () => ({
        output: 'both',
        childrenTasks: [
          { task: child, input: 1 },
          { task: child, input: 2 },
        ],
      }),
    })
  }, undefined)
  expect(report.outcome.output).toMatchObject({ output: 'both' })
  expect(report.tried.some(({ description }) => description.includes('insertTaskExecutions'))).toBe(true)
})

test('a sequence is gone through, and what one member keeps in memory for the next is found', async () => {
  const sequence =
    (isInMemory: boolean): CrashTaskDefinition<number, number> =>
    (executor) => {
      let kept = 0
      const first = executor.task({
        id: 'first',
        timeoutMs: 60_000,
        run: (_ctx, n: number) => {
          kept = n
          return n
        },
      })
      const second = executor.task({
        id: 'second',
        timeoutMs: 60_000,
        run: (_ctx, n: number) => (isInMemory ? kept : n) + 1,
      })
      return executor.sequentialTasks(first, second)
    }
  const report = await crashEverywhere(sequence(false), 41)
  expect(report.outcome).toMatchObject({ status: 'completed', output: 42 })
  const error = await rejectionOf(crashEverywhere(sequence(true), 41))
  expect(error).toMatchObject({ what: 'output', expected: '42', actual: '1' })
})

test('a function that enqueues another task does so again after a crash, and that is found', async () => {
  const error = await rejectionOf(
    crashEverywhere((executor) => {
      const mail = executor.task({ id: 'mail', timeoutMs: 60_000, run: () => 'sent' })
      return executor.task({
        id: 'order',
        timeoutMs: 60_000,
        run: async () => {
          await executor.enqueueTask(mail, undefined)
          return 'ordered'
        },
      })
    }, undefined),
  )
  expect(error).toMatchObject({
    what: 'executions by task',
    expected: '{ mail: 1, order: 1 }',
    actual: '{ mail: 2, order: 1 }',
  })
})

test('a task that takes its own charge for that of somebody else ends differently, and that is found', async () => {
  const error = await rejectionOf(
    crashEverywhere(
      (executor, outside) =>
        executor.task({
          id: 'reserve',
          timeoutMs: 60_000,
          run: async (_ctx, seat: string) => {
            if (outside.recorded('reserved').length > 0) {
              throw new DurableExecutionError(`Seat ${seat} is taken`, false)
            }
            await outside.record('reserved', seat)
            return seat
          },
        }),
      '12A',
    ),
  )
  expect(error).toMatchObject({
    what: 'status',
    expected: 'completed',
    actual: 'failed',
    point: { name: 'effect:1:after' },
  })
})

test('an effect under a key that was used gives what was done first', async () => {
  const report = await crashEverywhere(
    (executor, outside) =>
      executor.task({
        id: 'twice',
        timeoutMs: 60_000,
        run: async () => [
          await outside.record('charged', { amount: 1 }, { key: 'k' }),
          await outside.record('charged', { amount: 2 }, { key: 'k' }),
          await outside.record('mailed', undefined, { key: 'k' }),
        ],
      }),
    undefined,
  )
  expect(report.outcome.output).toEqual([{ amount: 1 }, { amount: 1 }, undefined])
  expect(report.outcome.effects).toHaveLength(2)
})

test('with a limit the points are spread over all of them, the first and the last included', async () => {
  const all = await crashEverywhere(payment(true), 'A-1')
  const some = await crashEverywhere(payment(true), 'A-1', { points: 4 })
  expect(some.tried).toHaveLength(4)
  expect(some.tried[0]).toEqual(all.tried[0])
  expect(some.tried.at(-1)).toEqual(all.tried.at(-1))
  expect(some.leftOut).toHaveLength(all.tried.length - 4)
})

test('places that the process did not come by again are told as missed', async () => {
  let processes = 0
  const report = await crashEverywhere((executor, outside) => {
    processes += 1
    // Only in the two runs without a crash.
    const isAsking = processes <= 2
    return executor.task({
      id: 'asking',
      timeoutMs: 60_000,
      run: async () => {
        await outside.record('charged', 1, { key: 'k' })
        return isAsking ? await outside.record('charged', 1, { key: 'k' }) : 1
      },
    })
  }, undefined)
  expect(report.missed.map(({ name }) => name)).toEqual(['effect:2:before', 'effect:2:after'])
  expect(report.tried).toEqual(expect.arrayContaining([...report.missed]))
})

test('what a crash may change can be left out of the comparison', async () => {
  const stamped: CrashTaskDefinition<undefined, { paid: boolean; startsSeen: number }> = (
    executor,
    outside,
  ) =>
    executor.task({
      id: 'stamped',
      timeoutMs: 60_000,
      run: async () => {
        await outside.record('started')
        return { paid: true, startsSeen: outside.recorded('started').length }
      },
    })
  expect(await rejectionOf(crashEverywhere(stamped, undefined))).toMatchObject({ what: 'output' })
  const report = await crashEverywhere(stamped, undefined, {
    compare: ({ status, output }) => [status, output?.paid],
  })
  expect(report.tried.length).toBeGreaterThan(5)
})

test('a task that is given instead of its definition is refused with what to write', async () => {
  const task = { id: 'pay' } as unknown as CrashTaskDefinition<string, string>
  await expect(crashEverywhere(task, 'A-1')).rejects.toThrow(
    /crashEverywhere needs a function that defines the task.*It was given \{ id: 'pay' \}/s,
  )
})

test('what an enqueue refuses is refused with its own words', async () => {
  await expect(crashEverywhere(() => ({ id: 'nobody' }), 1)).rejects.toThrow('Task nobody not found')
  const plain: CrashTaskDefinition<unknown, unknown> = (executor) =>
    executor.task({ id: 'plain', timeoutMs: 1_000, run: () => 1 })
  await expect(crashEverywhere(plain, () => 'no value')).rejects.toThrow('Error serializing value')
  await expect(crashEverywhere(() => undefined as unknown as DurableTask<number, number>, 1)).rejects.toThrow(
    'A task is what executor.task returned',
  )
})

test('options that make no sense are refused', async () => {
  await expect(crashEverywhere(payment(true), 'A-1', { points: 0 })).rejects.toThrow(
    'Invalid points: must be an integer, 1 or more, got 0',
  )
  await expect(crashEverywhere(payment(true), 'A-1', { only: 'effect:9:after' })).rejects.toThrow(
    /There is no crash point 'effect:9:after'\. There are: storage:\d+:reply, /,
  )
})

test('a task that does not finish is an error after the limit of moved time', async () => {
  const error = await rejectionOf(
    crashEverywhere(
      (executor) =>
        executor.task({
          id: 'endless',
          timeoutMs: 400 * 24 * HOUR,
          run: async () => await new Promise<never>(() => {}),
        }),
      undefined,
      { limit: '1d', patienceMs: 1 },
    ),
  )
  expect(error).toBeInstanceOf(TestKitError)
  expect(error.message).toMatch(/Task endless .* is not finished after 1d of moved time: it is running/)
})

test('a task that waits for ever only after a crash is told with the point', async () => {
  const error = await rejectionOf(
    crashEverywhere(
      (executor, outside) =>
        executor.task({
          id: 'lock',
          timeoutMs: 400 * 24 * HOUR,
          run: async () => {
            const isHeld = outside.recorded('locked').length > 0
            await outside.record('locked')
            return isHeld ? await new Promise<never>(() => {}) : 'done'
          },
        }),
      undefined,
      { limit: '1d', patienceMs: 1 },
    ),
  )
  expect(error.message).toMatch(
    /^After the process died after effect 1, "locked" \(only: 'effect:1:after'\): Task lock .* is not finished/,
  )
})

test('a task that is not the same twice even without a crash is refused', async () => {
  let runs = 0
  const error = await rejectionOf(
    crashEverywhere(
      (executor) =>
        executor.task({
          id: 'counting',
          timeoutMs: 60_000,
          run: () => {
            runs += 1
            return runs
          },
        }),
      undefined,
    ),
  )
  expect(error.message).toMatch(
    /Two runs of this task differ without any crash.*the output was\n1\nand then\n2/s,
  )
})

test('an effect after the end of its function is an error that says so', async () => {
  const unawaited: CrashTaskDefinition<undefined, string> = (executor, outside) =>
    executor.task({
      id: 'unawaited',
      timeoutMs: 60_000,
      run: () => {
        setImmediate(() => void outside.record('mailed'))
        return 'done'
      },
    })
  await expect(crashEverywhere(unawaited, undefined)).rejects.toThrow(
    'Effect "mailed" was recorded while no function was running',
  )
})

test('an effect after all runs are over rejects where it is recorded', async () => {
  let kept: Outside | undefined
  await crashEverywhere((executor: DurableExecutor, outside: Outside) => {
    kept = outside
    return executor.task({ id: 'plain', timeoutMs: 60_000, run: () => 'done' })
  }, undefined)
  await expect(kept?.record('mailed')).rejects.toThrow('was recorded while no function was running')
})

test('an effect that cannot be kept is refused where it is recorded', async () => {
  const refusals: Array<string> = []
  const strange: CrashTaskDefinition<undefined, string> = (executor, outside) =>
    executor.task({
      id: 'strange',
      timeoutMs: 60_000,
      run: async () => {
        for (const record of [
          async () => await outside.record(''),
          async () => await outside.record('charged', () => 'no value'),
          async () => await outside.record('charged', 1, { key: 7 as unknown as string }),
        ]) {
          await record().catch((error: unknown) => refusals.push((error as Error).message))
        }
        return 'done'
      },
    })
  await crashEverywhere(strange, undefined, { points: 1 })
  expect(refusals.slice(0, 3)).toEqual([
    "An effect needs a name, a text such as 'charged'; got ''",
    expect.stringMatching(/^The details of effect "charged" cannot be cloned: .* Give plain values\.$/s),
    'The key of effect "charged" must be a text, such as ctx.executionId; got 7',
  ])
})
