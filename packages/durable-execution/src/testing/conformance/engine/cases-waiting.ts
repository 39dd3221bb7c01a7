/** Cases: waiting for an execution to finish. */

import assert from 'node:assert/strict'

import { createCancelSignal } from '../../../base/cancel.ts'
import { DurableExecutionCancelledError } from '../../../base/errors.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { type Call, withCallListener } from './lives.ts'
import { assertRefused } from './refusals.ts'
import {
  createGate,
  defineEcho,
  defineFailing,
  defineGated,
  defineParentOf,
  outputOf,
  untilTrue,
} from './trees.ts'

const toldCases: Array<EngineConformanceCase> = [
  engineCase(
    'wait.told_at_once',
    'a wait returns in the moment the execution finishes in this process',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const task = defineGated(executor, 'task', gate)
      await executor.start()
      const handle = await executor.enqueueTask(task, 'x')
      await untilTrue(world, () => gate.arrivedIds.length === 1)
      const waiting = handle.waitAndGetTaskFinishedExecution()
      await world.clock.settle()
      gate.open()
      const openedAt = world.clock.monotonicNow()
      assert.equal(outputOf(await world.until(waiting)), 'x')
      assert.ok(world.clock.monotonicNow() - openedAt <= 50)
    },
  ),

  engineCase(
    'wait.told_at_once',
    'a wait returns in the moment the execution is cancelled in this process',
    async (world) => {
      const executor = world.newExecutor()
      const task = defineEcho(executor, 'task')
      const handle = await executor.enqueueTask(task, 'x')
      const waiting = handle.waitAndGetTaskFinishedExecution()
      await world.clock.settle()
      await world.until(handle.cancel())
      const cancelledAt = world.clock.monotonicNow()
      assert.equal((await world.until(waiting)).status, 'cancelled')
      assert.ok(world.clock.monotonicNow() - cancelledAt <= 50)
    },
  ),

  engineCase(
    'wait.told_at_once',
    'a wait for a parent returns before what follows from its failure is written',
    async (world) => {
      const executor = world.newExecutor()
      const gate = createGate()
      const parent = defineParentOf(executor, 'parent', [
        { task: defineGated(executor, 'slow', gate), input: 'x' },
        { task: defineFailing(executor, 'failing'), input: 'no' },
      ])
      await executor.start()
      const handle = await executor.enqueueTask(parent, undefined)
      const startedAt = world.clock.monotonicNow()
      assert.equal((await world.finish(handle)).status, 'children_tasks_failed')
      assert.ok(world.clock.monotonicNow() - startedAt <= 50)
    },
  ),

  engineCase('wait.finished', 'a wait for a finished execution returns at once', async (world) => {
    const executor = world.newExecutor()
    const task = defineEcho(executor, 'task')
    await executor.start()
    const handle = await executor.enqueueTask(task, 'x')
    await world.finish(handle)
    const askedAt = world.clock.monotonicNow()
    assert.equal(outputOf(await world.finish(handle)), 'x')
    assert.ok(world.clock.monotonicNow() - askedAt <= 50)
  }),

  ...(
    [
      { given: undefined, everyMs: 1_000 },
      { given: null, everyMs: 1_000 },
      { given: 0, everyMs: 1_000 },
      { given: -5, everyMs: 1_000 },
      { given: 4_000, everyMs: 4_000 },
    ] as const
  ).map(({ given, everyMs }) =>
    engineCase(
      'wait.polls',
      `a wait in another process looks every ${everyMs} ms with pollingIntervalMs ${given}`,
      async (world) => {
        const runner = world.newExecutor()
        const gate = createGate()
        const task = defineGated(runner, 'task', gate)
        const storage = createFaultyStorage(world.storage)
        const client = world.newExecutor({ storage: { withTransaction: storage.withTransaction } })
        defineGated(client, 'task', gate)
        await runner.start()
        const handle = await client.enqueueTask(task, 'x')
        const waiting = handle.waitAndGetTaskFinishedExecution({ pollingIntervalMs: given })
        await world.clock.settle()
        const before = storage.transactions()
        await world.clock.advance(20_000)
        assert.equal(storage.transactions() - before, 20_000 / everyMs)
        gate.open()
        const openedAt = world.clock.monotonicNow()
        assert.equal(outputOf(await world.until(waiting)), 'x')
        assert.ok(world.clock.monotonicNow() - openedAt <= everyMs + 50)
      },
    ),
  ),

  engineCase(
    'wait.polls',
    'who looks again and again asks for the status alone, where the storage can answer that',
    async (world) => {
      const runner = world.newExecutor()
      const gate = createGate()
      const task = defineGated(runner, 'task', gate)
      const calls: Array<Call> = []
      const { withTransaction } = withCallListener(world.storage, (call) => void calls.push(call))
      const client = world.newExecutor({ storage: { withTransaction } })
      defineGated(client, 'task', gate)
      await runner.start()
      const handle = await client.enqueueTask(task, 'x')
      const waiting = handle.waitAndGetTaskFinishedExecution()
      await world.clock.settle()
      calls.length = 0
      await world.clock.advance(5_000)
      const canAnswer = await world.storage.withTransaction((tx) =>
        Promise.resolve(tx.getTaskExecutionFields !== undefined),
      )
      const asked = canAnswer
        ? (['getTaskExecutionFields', ['status']] as const)
        : (['getTaskExecutions', undefined] as const)
      assert.deepEqual(
        calls.map(({ operation, args }) => [operation, args[1]]),
        Array(5).fill(asked),
      )
      gate.open()
      assert.equal(outputOf(await world.until(waiting)), 'x')
    },
  ),

  engineCase('wait.polls', 'an interval that is no finite number is refused', async (world) => {
    const executor = world.newExecutor()
    const handle = await executor.enqueueTask(defineEcho(executor, 'task'), 'x')
    for (const pollingIntervalMs of [NaN, Infinity, '5' as never]) {
      await assertRefused(
        () => handle.waitAndGetTaskFinishedExecution({ pollingIntervalMs }),
        /^Invalid pollingIntervalMs: must be a finite number/,
      )
    }
  }),

  engineCase('wait.many', 'ten thousand waits return together, without a poll', async (world) => {
    const executor = world.newExecutor()
    const gate = createGate()
    const task = defineGated(executor, 'task', gate)
    await executor.start()
    const handles = await Promise.all(
      Array.from({ length: 20 }, (_, index) => executor.enqueueTask(task, `${index}`)),
    )
    await untilTrue(world, () => gate.arrivedIds.length === 20)
    const waiting = Promise.all(
      handles.flatMap((handle) =>
        Array.from({ length: 500 }, () => handle.waitAndGetTaskFinishedExecution()),
      ),
    )
    await world.clock.settle()
    gate.open()
    const executions = await world.until(waiting, 500)
    assert.equal(executions.filter((execution) => execution.status === 'completed').length, 10_000)
  }),
]

const signalCases: Array<EngineConformanceCase> = [
  engineCase('wait.signal', 'a signal that fires ends the wait, and not the execution', async (world) => {
    const executor = world.newExecutor()
    const task = defineEcho(executor, 'task')
    const handle = await executor.enqueueTask(task, 'x')
    const controller = new AbortController()
    const [signal, cancel] = createCancelSignal()
    const waits = [signal, controller.signal].map((one) =>
      assert.rejects(handle.waitAndGetTaskFinishedExecution({ signal: one }), DurableExecutionCancelledError),
    )
    const patient = handle.waitAndGetTaskFinishedExecution()
    await world.clock.settle()
    const firedAt = world.clock.monotonicNow()
    cancel()
    controller.abort()
    await world.until(Promise.all(waits))
    assert.ok(world.clock.monotonicNow() - firedAt <= 50)
    await executor.start()
    assert.equal(outputOf(await world.until(patient)), 'x')
  }),

  engineCase(
    'wait.signal',
    'a signal that has fired already ends the wait before it begins',
    async (world) => {
      const executor = world.newExecutor()
      const handle = await executor.enqueueTask(defineEcho(executor, 'task'), 'x')
      const [signal, cancel] = createCancelSignal()
      cancel()
      for (const one of [signal, AbortSignal.abort()]) {
        await assert.rejects(handle.waitAndGetTaskFinishedExecution({ signal: one }), {
          name: 'DurableExecutionCancelledError',
          message: 'Task cancelled',
        })
      }
    },
  ),

  engineCase('wait.signal', 'a signal ends a wait whose storage does not answer', async (world) => {
    const storage = createFaultyStorage(world.storage)
    const executor = world.newExecutor({ storage })
    const handle = await executor.enqueueTask(defineEcho(executor, 'task'), 'x')
    storage.failWhen(() => 'hang')
    const [signal, cancel] = createCancelSignal()
    const wait = assert.rejects(
      handle.waitAndGetTaskFinishedExecution({ signal }),
      DurableExecutionCancelledError,
    )
    await world.clock.settle()
    cancel()
    await world.until(wait, 100)
    storage.failWhen(undefined)
    // The read that hangs is given up by itself, and leaves nothing behind.
    await world.clock.advance('3m')
  }),
]

/** How waits end. */
export const WAITING_CASES: ReadonlyArray<EngineConformanceCase> = [...toldCases, ...signalCases]
