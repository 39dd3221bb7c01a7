/** Cases: one row that cannot be stored, or is held by somebody, does not hold up the others. */

import assert from 'node:assert/strict'

import { DurableExecutionError } from '../../../base/errors.ts'
import { createDurableTaskExecutionStorageObject, type ExecutionRow } from '../../../machine/execution.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import {
  isWrite,
  latest,
  quickTask,
  speaksOf,
  untilRow,
  untilTrue,
  waitingTask,
  withCallListener,
} from './lives.ts'

export const ONE_ROW_CASES: Array<EngineConformanceCase> = [
  engineCase(
    'errors.one_insert_of_many',
    'of inserts that share a transaction only the one that is refused fails',
    async (world) => {
      const storage = withCallListener(world.storage, (call) => {
        if (call.operation === 'insertTaskExecutions' && JSON.stringify(call.args).includes('poison')) {
          throw new DurableExecutionError('The value cannot be stored', false)
        }
      })
      const executor = world.newExecutor({ storage })
      const task = quickTask(executor, 'work')
      const inputs = ['a', 'poison', 'b']
      const results = await world.until(
        Promise.allSettled(inputs.map((input) => executor.enqueueTask(task, input))),
      )
      assert.deepEqual(
        results.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled'],
      )
      assert.equal((await world.rows()).length, 2)
    },
  ),

  engineCase(
    'settle.outage_convicts_nobody',
    'connections that break each time one outcome is written do not make it fail',
    async (world) => {
      let broken = 6
      const storage = withCallListener(world.storage, (call) => {
        if (isWrite(call) && JSON.stringify(call.args).includes('unlucky') && broken > 0) {
          broken -= 1
          throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
        }
      })
      const executor = world.newExecutor({ storage })
      const { task, started } = waitingTask(executor, 'work')
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, 1)
      await untilTrue(world, () => started.length === 1)
      started[0]?.gate.open('unlucky')
      const end = await world.finish(handle)
      assert.equal(end.status === 'completed' && end.output, 'unlucky')
      assert.equal(broken, 0)
      assert.equal(started.length, 1)
    },
  ),

  engineCase(
    'settle.one_row_fails_alone',
    'in a batch of outcomes the one that cannot be stored fails alone',
    async (world) => {
      const storage = withCallListener(world.storage, (call) => {
        if (isWrite(call) && JSON.stringify(call.args).includes('poison')) {
          throw new Error('no room for that')
        }
      })
      const executor = world.newExecutor({ storage })
      const { task, started } = waitingTask(executor, 'work', { maxAttempts: 3 })
      await world.until(executor.start())
      const handles = await Promise.all([1, 2, 3, 4, 5].map((input) => executor.enqueueTask(task, input)))
      await untilTrue(world, () => started.length === 5)
      for (const one of started) {
        one.gate.open(one.input === 3 ? 'poison' : 'fine')
      }
      for (const [index, handle] of handles.entries()) {
        const end = await world.finish(handle, 5_000)
        if (index === 2) {
          assert.equal(
            end.status === 'failed' && end.error.message,
            'Outcome could not be stored: no room for that',
          )
          assert.equal(end.status === 'failed' && end.error.isRetryable, false)
        } else {
          assert.equal(end.status === 'completed' && end.output, 'fine')
        }
      }
    },
  ),

  engineCase(
    'settle.blocked_is_not_failed',
    'a row that somebody holds, or a storage that comes and goes, is no failure of the task',
    async (world) => {
      let blockedId = 'nothing yet'
      const storage = withCallListener(world.storage, (call) => {
        if (/lock|update/.test(call.operation) && speaksOf(call, blockedId)) {
          throw new Error('The row is locked')
        }
      })
      const executor = world.newExecutor({ storage, expireMs: 60_000 })
      const { task, started } = waitingTask(executor, 'work')
      await world.until(executor.start())
      const handle = await executor.enqueueTask(task, 1)
      await untilTrue(world, () => started.length === 1)
      blockedId = handle.getTaskExecutionId()
      latest(started).gate.open('kept')
      await world.clock.advance('15s')
      assert.equal((await world.row(blockedId)).status, 'running')
      blockedId = 'nothing any more'
      const end = await world.finish(handle, 8_000)
      assert.equal(end.status === 'completed' && end.output, 'kept')
    },
  ),

  engineCase(
    'recovery.one_row_fails_alone',
    'a lost row that cannot be put back does not hold up the others',
    async (world) => {
      const client = world.newExecutor()
      const { task } = waitingTask(client, 'work')
      const handles = await Promise.all([1, 2, 3].map((input) => client.enqueueTask(task, input)))
      const mortal = world.newExecutor({ expireMs: 2_000 })
      const { started } = waitingTask(mortal, 'work')
      await world.until(mortal.start())
      await untilTrue(world, () => started.length === 3)
      world.kill(mortal)
      const poisonedId = handles[1]?.getTaskExecutionId() ?? ''
      let isPoisoned = true
      const storage = withCallListener(world.storage, (call) => {
        if (isPoisoned && /lock|update/.test(call.operation) && speaksOf(call, poisonedId)) {
          throw new Error('The row is held by somebody')
        }
      })
      const survivor = world.newExecutor({ storage, expireMs: 2_000 })
      quickTask(survivor, 'work')
      await world.until(survivor.start())
      for (const index of [0, 2]) {
        const id = handles[index]?.getTaskExecutionId() ?? ''
        await untilRow(world, id, ({ status }) => status === 'completed', 10_000)
      }
      assert.equal((await world.row(poisonedId)).status, 'running')
      isPoisoned = false
      await untilRow(world, poisonedId, ({ status }) => status === 'completed', 20_000)
    },
  ),

  engineCase(
    'close.one_row_fails_alone',
    'a row that cannot be closed, or cancelled, does not hold up the others',
    async (world) => {
      let poisonedId = 'nothing yet'
      const storage = withCallListener(world.storage, (call) => {
        if (/lock|update/.test(call.operation) && speaksOf(call, poisonedId)) {
          throw new Error('The row is held by somebody')
        }
      })
      const executor = world.newExecutor({ storage })
      const { task: sibling, started } = waitingTask(executor, 'sibling')
      const { task: broken, started: failing } = waitingTask(executor, 'broken')
      const parent = executor.parentTask({
        id: 'parent',
        timeoutMs: 60_000,
        runParent: () => ({
          output: 1,
          childrenTasks: [1, 2, 3]
            .map((input) => ({ task: sibling, input }))
            .concat({ task: broken, input: 4 }),
        }),
      })
      await world.until(executor.start())
      const handle = await executor.enqueueTask(parent, 1)
      await untilTrue(world, () => started.length === 3 && failing.length === 1)
      const ids = started.map(({ ctx }) => ctx.executionId)
      poisonedId = ids[1] ?? ''
      latest(failing).gate.fail(new Error('broken'))
      assert.equal((await world.finish(handle)).status, 'children_tasks_failed')
      await untilRow(world, ids[0] ?? '', ({ status }) => status === 'cancelled', 10_000)
      await untilRow(world, ids[2] ?? '', ({ status }) => status === 'cancelled', 10_000)
      poisonedId = 'nothing any more'
      await untilRow(world, ids[1] ?? '', ({ status }) => status === 'cancelled', 20_000)
      await untilRow(world, handle.getTaskExecutionId(), ({ isClosed }) => isClosed, 20_000)
    },
  ),

  engineCase(
    'close.looks_past_the_stuck',
    'a row that can be closed is closed though hundreds that cannot be are found before it',
    async (world) => {
      const storage = withCallListener(world.storage, (call) => {
        if (isWrite(call) && speaksOf(call, 'stuck')) {
          throw new Error('The row is held by somebody')
        }
      })
      const ids = [...Array.from({ length: 450 }, (_, index) => `te_stuck_${index}`), 'te_fine']
      await world.storage.withTransaction(
        async (tx) => await tx.insertTaskExecutions(ids.map((id) => finishedRow(id, world.clock.now()))),
      )
      const executor = world.newExecutor({ storage })
      quickTask(executor, 'work')
      await world.until(executor.start())
      await untilRow(world, 'te_fine', ({ isClosed }) => isClosed, 10_000)
    },
  ),
]

/** A row that somebody finished and nobody has closed. */
function finishedRow(executionId: string, nowMs: number): ExecutionRow {
  const now = new Date(nowMs)
  return {
    ...createDurableTaskExecutionStorageObject({
      now,
      taskId: 'work',
      executionId,
      retryOptions: { maxAttempts: 0 },
      sleepMsBeforeRun: 0,
      timeoutMs: 1_000,
      runInput: '1',
    }),
    status: 'completed',
    startedAt: now,
    finishedAt: now,
    runOutput: '1',
    output: '1',
  }
}
