/** A busy day of two executors and a client: every kind of engine transaction happens in it. */

import assert from 'node:assert/strict'

import { type DurableTaskHandle } from '../../../client/handle.ts'
import { type DurableExecutor } from '../../../executor/executor.ts'
import { type DurableStorage } from '../../../storage/contract.ts'
import { type DurableTask } from '../../../task/define.ts'
import { quickTask, type Started, untilTrue, waitingTask } from './lives.ts'
import { type EngineWorld } from './world.ts'

type Task = DurableTask<unknown, unknown>
type Tasks = Record<'quick' | 'parent' | 'failing' | 'long' | 'cancelled' | 'stubborn' | 'doomed', Task>
type Handles = Record<keyof Tasks, DurableTaskHandle<unknown>>

const EXPIRE_MS = 3_000

/** Lives through the day on the given storage, and checks that everything ended as it should. */
export async function liveBusyDay(world: EngineWorld, storage: DurableStorage): Promise<void> {
  const client = world.newExecutor({ storage, expireMs: EXPIRE_MS })
  const tasks = defineAll(client).tasks
  const doomed = await loseOne(world, client, tasks.doomed)
  const first = world.newExecutor({ storage, expireMs: EXPIRE_MS })
  const waiting = defineAll(first).waiting
  await world.until(first.start())
  const handles = { doomed, ...(await enqueueAll(world, client, tasks)) }
  await untilTrue(world, () => waiting.cancelled.length > 0 && waiting.long.length > 0, 120_000)
  assert.equal(await world.until(handles.cancelled.cancel()), true, 'the cancel said that it cancelled')
  await world.clock.advance(EXPIRE_MS + 1_000)
  openAll(waiting.long)
  await untilTrue(world, () => waiting.stubborn.length > 0, 120_000)
  for (const name of ['quick', 'parent', 'failing', 'long', 'cancelled'] as const) {
    await world.finish(handles[name], 120_000)
    openAll(waiting.long)
  }
  await world.until(first.shutdown({ graceMs: 0 }))
  const second = world.newExecutor({ storage, expireMs: EXPIRE_MS })
  const later = defineAll(second).waiting
  await world.until(second.start())
  await untilTrue(world, () => later.stubborn.length > 0, 120_000)
  openAll(later.stubborn)
  await checkAll(world, handles)
  await world.until(second.shutdown())
  world.kill(client)
}

function defineAll(executor: DurableExecutor): {
  tasks: Tasks
  waiting: Record<'long' | 'cancelled' | 'stubborn' | 'sibling', Array<Started>>
} {
  const quick = quickTask(executor, 'quick', (_, input) => `did ${String(input)}`)
  const broken = quickTask(executor, 'broken', () => {
    throw new Error('broken')
  })
  const sibling = waitingTask(executor, 'sibling')
  const long = waitingTask(executor, 'long')
  const cancelled = waitingTask(executor, 'cancelled')
  const stubborn = waitingTask(executor, 'stubborn')
  const parent = executor.parentTask({
    id: 'parent',
    timeoutMs: 60_000,
    runParent: () => ({ output: 'own', childrenTasks: [1, 2].map((input) => ({ task: quick, input })) }),
    finalizeTask: {
      id: 'finalize',
      timeoutMs: 60_000,
      run: (_, { childrenTasksOutputs }) => childrenTasksOutputs.map(({ output }) => output),
    },
  })
  const failing = executor.parentTask({
    id: 'failing',
    timeoutMs: 60_000,
    runParent: () => ({
      output: 'own',
      childrenTasks: [
        { task: sibling.task, input: 1 },
        { task: broken, input: 2 },
      ],
    }),
  })
  const doomed = quickTask(executor, 'doomed')
  return {
    tasks: {
      quick,
      parent,
      failing,
      doomed,
      long: long.task,
      cancelled: cancelled.task,
      stubborn: stubborn.task,
    },
    waiting: {
      long: long.started,
      cancelled: cancelled.started,
      stubborn: stubborn.started,
      sibling: sibling.started,
    },
  }
}

/** An execution that was claimed by somebody who died. */
async function loseOne(
  world: EngineWorld,
  client: DurableExecutor,
  task: Task,
): Promise<DurableTaskHandle<unknown>> {
  const mortal = world.newExecutor({ expireMs: EXPIRE_MS })
  const { started } = waitingTask(mortal, 'doomed')
  await world.until(mortal.start())
  const handle = await world.until(client.enqueueTask(task, 1))
  await untilTrue(world, () => started.length > 0)
  world.kill(mortal)
  return handle
}

async function enqueueAll(
  world: EngineWorld,
  client: DurableExecutor,
  tasks: Tasks,
): Promise<Omit<Handles, 'doomed'>> {
  const enqueue = async (name: keyof Tasks): Promise<DurableTaskHandle<unknown>> =>
    await world.until(client.enqueueTask(tasks[name], 1))
  return {
    quick: await enqueue('quick'),
    parent: await enqueue('parent'),
    failing: await enqueue('failing'),
    long: await enqueue('long'),
    cancelled: await enqueue('cancelled'),
    stubborn: await enqueue('stubborn'),
  }
}

function openAll(started: ReadonlyArray<Started>): void {
  for (const { gate } of started) {
    gate.open('done')
  }
}

const ENDS: Record<keyof Tasks, string> = {
  quick: 'completed',
  parent: 'completed',
  failing: 'children_tasks_failed',
  long: 'completed',
  cancelled: 'cancelled',
  stubborn: 'completed',
  doomed: 'completed',
}

async function checkAll(world: EngineWorld, handles: Handles): Promise<void> {
  for (const name of Object.keys(ENDS) as Array<keyof Tasks>) {
    const end = await world.finish(handles[name], 120_000)
    assert.equal(end.status, ENDS[name], `${name} ended as it should`)
    if (name === 'parent') {
      assert.deepEqual(end.status === 'completed' && end.output, ['did 1', 'did 2'])
    }
    if (name === 'failing') {
      assert.equal(end.status === 'children_tasks_failed' && end.childrenTasksErrors.length, 1)
    }
  }
  await untilClosed(world)
  const rows = await world.rows()
  const ids = new Set(Object.values(handles).map((handle) => handle.getTaskExecutionId()))
  const family = rows.filter(
    ({ executionId, rootTask }) => ids.has(executionId) || ids.has(rootTask?.executionId ?? ''),
  )
  assert.deepEqual(family.map(({ taskId, status }) => `${taskId} ${status}`).toSorted(), [
    'broken failed',
    'cancelled cancelled',
    'doomed completed',
    'failing children_tasks_failed',
    'finalize completed',
    'long completed',
    'parent completed',
    'quick completed',
    'quick completed',
    'quick completed',
    'sibling cancelled',
    'stubborn completed',
  ])
}

async function untilClosed(world: EngineWorld): Promise<void> {
  for (let step = 0; (await world.rows()).some((row) => !row.isClosed); step += 1) {
    assert.ok(step < 1_000, 'some rows were never closed')
    await world.clock.advance(100)
  }
}
