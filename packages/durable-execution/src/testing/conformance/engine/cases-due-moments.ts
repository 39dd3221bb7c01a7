/** Cases: what is due is taken when it is due, however seldom the executor looks by itself. */

import assert from 'node:assert/strict'

import { LIMITS } from '../../../base/limits.ts'
import { createFaultyStorage } from '../../faults.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { createAbsentStorage, createHintBus, quickTask } from './lives.ts'

/** Whoever waits for the next poll is late by a minute. */
const SELDOM = { backgroundProcessIntraBatchSleepMs: 60_000 }
/** Looks seldom only while the storage hints at what others change. */
const HINTED = { backgroundProcessIntraBatchSleepMs: undefined }

export const DUE_MOMENT_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'claim.not_before_due',
    'executions that are due one after another each run at their moment, not at the next poll',
    async (world) => {
      const executor = world.newExecutor(SELDOM)
      const task = quickTask(executor, 'work')
      await world.until(executor.start())
      await world.clock.advance(1_000)
      const handles = []
      for (const sleepMsBeforeRun of [2_000, 1_000, 3_000]) {
        handles.push(await executor.enqueueTask(task, 1, { sleepMsBeforeRun }))
      }
      await world.until(Promise.all(handles.map((one) => one.waitAndGetTaskFinishedExecution())), 4_000)
    },
  ),

  engineCase(
    'claim.not_before_due',
    'children of one parent that are due one after another each run at their moment',
    async (world) => {
      const executor = world.newExecutor(SELDOM)
      const task = quickTask(executor, 'work')
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 1_000,
        runParent: () => ({
          output: null,
          childrenTasks: [0, 1_000, 2_000].map((sleepMsBeforeRun) => ({
            task,
            input: 1,
            options: { sleepMsBeforeRun },
          })),
        }),
      })
      await world.until(executor.start())
      await world.clock.advance(1_000)
      const handle = await executor.enqueueTask(parent, undefined)
      assert.equal((await world.finish(handle, 4_000)).status, 'completed')
    },
  ),

  engineCase(
    'claim.not_before_due',
    'many due rows of tasks that others know do not hide when the next one is due',
    async (world) => {
      const bus = createHintBus()
      const client = world.newExecutor()
      const foreign = quickTask(client, 'foreign')
      for (let index = 0; index < LIMITS.nextDueRows + 4; index += 1) {
        await client.enqueueTask(foreign, index)
      }
      const executor = world.newExecutor({ ...HINTED, storage: bus.connect(world.storage) })
      const task = quickTask(executor, 'work')
      await world.until(executor.start())
      await world.clock.advance(1_000)
      const handles = []
      for (const sleepMsBeforeRun of [1_000, 2_000]) {
        handles.push(await executor.enqueueTask(task, 1, { sleepMsBeforeRun }))
      }
      await world.until(Promise.all(handles.map((one) => one.waitAndGetTaskFinishedExecution())), 4_000)
    },
  ),

  engineCase(
    'claim.not_before_due',
    'a look for what is due next that fails is made again',
    async (world) => {
      const bus = createHintBus()
      const faulty = createFaultyStorage(world.storage)
      const executor = world.newExecutor({ ...SELDOM, storage: bus.connect(faulty) })
      const task = quickTask(executor, 'work')
      await world.until(executor.start())
      await world.clock.advance(1_000)
      let left = 1
      faulty.failAtCommitWhen(({ calls }) => {
        const isLook = calls.length === 1 && calls[0]?.args[1] === LIMITS.nextDueRows
        return isLook && left-- > 0 ? 'lost_reply' : undefined
      })
      const client = world.newExecutor({ storage: bus.connect(world.storage) })
      quickTask(client, 'work')
      const handle = await client.enqueueTask(task, 1, { sleepMsBeforeRun: 3_000 })
      assert.equal((await world.finish(handle, 5_000)).status, 'completed')
      assert.ok(left < 1, 'a look has failed')
    },
  ),

  engineCase(
    'claim.not_before_due',
    'a slot that a claim of unknown outcome has filled goes on to the next execution when it is free',
    async (world) => {
      const bus = createHintBus()
      const faulty = createFaultyStorage(world.storage)
      const executor = world.newExecutor({
        ...SELDOM,
        expireMs: 6_000,
        maxConcurrentTaskExecutions: 1,
        storage: bus.connect(faulty),
      })
      const task = quickTask(executor, 'work')
      await world.until(executor.start())
      const client = world.newExecutor()
      quickTask(client, 'work')
      // Enqueued by somebody who does not hint, so that nothing but the hint below says that work is due.
      const handles = [await client.enqueueTask(task, 1), await client.enqueueTask(task, 2)]
      let left = 1
      faulty.failAtCommitWhen(() => (left-- > 0 ? 'lost_reply' : undefined))
      await bus.connect(world.storage).notifyChange?.({ ready: true })
      await world.until(Promise.all(handles.map((one) => one.waitAndGetTaskFinishedExecution())), 15_000)
    },
  ),

  engineCase(
    'errors.outage',
    'what could not be closed while the storage was away is closed soon after it is back',
    async (world) => {
      const bus = createHintBus()
      const absent = createAbsentStorage(world.storage)
      const executor = world.newExecutor({ ...HINTED, storage: bus.connect(absent) })
      const task = quickTask(executor, 'work')
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 1_000,
        runParent: () => ({
          output: null,
          childrenTasks: [{ task, input: 1, options: { sleepMsBeforeRun: 3_600_000 } }],
        }),
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(parent, undefined)
      await world.clock.advance(500)
      assert.equal((await world.row(handle.getTaskExecutionId())).status, 'waiting_for_children_tasks')
      assert.equal(await handle.cancel(), true)
      absent.leave('refuses')
      await world.clock.advance(1_000)
      absent.comeBack()
      await world.clock.advance(5_000)
      for (const row of await world.rows()) {
        assert.equal(row.isClosed, true, `${row.taskId} is closed`)
      }
    },
  ),
]
