/** Cases: what was lost again and again is run apart, so that a task which kills its process takes no other with it. */

import assert from 'node:assert/strict'

import { type DurableTaskHandle } from '../../../client/handle.ts'
import { type ExecutionRow } from '../../../machine/execution.ts'
import { type EngineConformanceCase, engineCase } from './case.ts'
import { isWrite, latest, quickTask, untilTrue, waitingTask, withCallListener } from './lives.ts'
import { type EngineWorld } from './world.ts'

const EXPIRE_MS = 2_000
// How often an execution is lost until it is run apart.
const UNTIL_APART = 2

/** The rules that these cases show. */
export const APART_RULES: Record<string, string> = {
  'apart.one_at_a_time':
    'Of executions that were lost twice in a row or more a process runs one at a time, whatever slots are free.',
  'apart.each_gets_its_turn': 'When the outcome of that one is settled the next is run, until none is left.',
  'apart.others_go_on': 'Other executions run beside it as always.',
  'apart.given_back_first':
    'Those that were claimed beyond it are given back, without a loss, before anything that came with them is started.',
  'apart.once': 'What was given back is not claimed again by the same process before its turn.',
}

/** The executions, each lost so often. */
async function loseAll(
  world: EngineWorld,
  count: number,
  losses = UNTIL_APART,
): Promise<Array<DurableTaskHandle<unknown>>> {
  const client = world.newExecutor()
  const { task } = waitingTask(client, 'work')
  const handles = await client.enqueueTasks(
    task,
    Array.from({ length: count }, (_, index) => index),
  )
  for (let loss = 0; loss < losses; loss += 1) {
    const mortal = world.newExecutor({ expireMs: EXPIRE_MS, maxConcurrentTaskExecutions: 50 })
    const { started } = waitingTask(mortal, 'work')
    await world.until(mortal.start())
    await untilTrue(world, () => started.length === count)
    world.kill(mortal)
  }
  // It knows no task: what it takes back it leaves to others.
  const watcher = world.newExecutor({ expireMs: EXPIRE_MS })
  await world.until(watcher.start())
  await untilRows(world, (rows) => rows.every((row) => row.losses === losses))
  await world.until(watcher.shutdown())
  return handles
}

async function untilRows(world: EngineWorld, claim: (rows: Array<ExecutionRow>) => boolean): Promise<void> {
  for (let looks = 0; !claim(await world.rows()); looks += 1) {
    assert.ok(looks < 1_000, 'the rows did not come to be as they should')
    await world.clock.advance(50)
  }
}

export const APART_CASES: Array<EngineConformanceCase> = [
  engineCase('apart.one_at_a_time', 'of five that were lost twice one is run', async (world) => {
    await loseAll(world, 5)
    const survivor = world.newExecutor({ maxConcurrentTaskExecutions: 20 })
    const { started } = waitingTask(survivor, 'work')
    await world.until(survivor.start())
    await untilTrue(world, () => started.length > 0)
    await world.clock.advance(60_000)
    assert.equal(started.length, 1)
    const rows = await world.rows()
    assert.deepEqual(rows.map(({ status, losses }) => `${status} ${losses}`).toSorted(), [
      'ready 2',
      'ready 2',
      'ready 2',
      'ready 2',
      'running 2',
    ])
    latest(started).gate.open('done')
  }),

  engineCase(
    'apart.each_gets_its_turn',
    'those that are cancelled while they wait hold up nobody behind them',
    async (world) => {
      const handles = await loseAll(world, 5)
      const survivor = world.newExecutor({ maxConcurrentTaskExecutions: 20 })
      const { started } = waitingTask(survivor, 'work')
      await world.until(survivor.start())
      await untilTrue(world, () => started.length > 0)
      const waiting = handles.filter(
        (handle) => handle.getTaskExecutionId() !== latest(started).ctx.executionId,
      )
      for (const handle of waiting.slice(0, -1)) {
        await world.until(handle.cancel())
      }
      latest(started).gate.open('first')
      await untilTrue(world, () => started.length === 2)
      latest(started).gate.open('last')
      assert.equal((await world.finish(waiting.at(-1) as DurableTaskHandle<unknown>)).status, 'completed')
    },
  ),

  engineCase('apart.one_at_a_time', 'what was lost once is run at once, all of it', async (world) => {
    await loseAll(world, 5, UNTIL_APART - 1)
    const survivor = world.newExecutor({ maxConcurrentTaskExecutions: 20 })
    const { started } = waitingTask(survivor, 'work')
    await world.until(survivor.start())
    await untilTrue(world, () => started.length === 5)
    for (const { gate } of started) {
      gate.open('done')
    }
  }),

  engineCase('apart.each_gets_its_turn', 'all of them are run, one after another', async (world) => {
    const handles = await loseAll(world, 5)
    const survivor = world.newExecutor({ maxConcurrentTaskExecutions: 20 })
    const { started } = waitingTask(survivor, 'work')
    await world.until(survivor.start())
    for (let turn = 1; turn <= handles.length; turn += 1) {
      // A turn is taken without waiting for the next look at what is due.
      await untilTrue(world, () => started.length >= turn, turn === 1 ? undefined : 1_000)
      assert.equal(started.length, turn)
      latest(started).gate.open('done')
    }
    const ends = await Promise.all(handles.map((handle) => world.finish(handle)))
    assert.deepEqual(
      ends.map(({ status }) => status),
      handles.map(() => 'completed'),
    )
    assert.equal(new Set(started.map(({ ctx }) => ctx.executionId)).size, handles.length)
  }),

  engineCase('apart.each_gets_its_turn', 'two processes run one each', async (world) => {
    await loseAll(world, 5)
    const lives = [1, 2].map(() => {
      const survivor = world.newExecutor({ maxConcurrentTaskExecutions: 20 })
      return { survivor, started: waitingTask(survivor, 'work').started }
    })
    for (const { survivor } of lives) {
      await world.until(survivor.start())
    }
    await untilTrue(world, () => lives.every(({ started }) => started.length > 0))
    await world.clock.advance(60_000)
    assert.deepEqual(
      lives.map(({ started }) => started.length),
      [1, 1],
    )
    for (const { started } of lives) {
      latest(started).gate.open('done')
    }
  }),

  engineCase('apart.others_go_on', 'while one is run apart, others come and go', async (world) => {
    await loseAll(world, 3)
    const survivor = world.newExecutor({ maxConcurrentTaskExecutions: 2 })
    const { started } = waitingTask(survivor, 'work')
    const quick = quickTask(survivor, 'quick')
    await world.until(survivor.start())
    await untilTrue(world, () => started.length === 1)
    const others = await survivor.enqueueTasks(quick, [1, 2, 3, 4, 5, 6])
    for (const other of others) {
      assert.equal((await world.finish(other)).status, 'completed')
    }
    assert.equal(started.length, 1)
    latest(started).gate.open('done')
  }),

  engineCase('apart.given_back_first', 'the first that starts sees no other running', async (world) => {
    const handles = await loseAll(world, 5)
    const survivor = world.newExecutor({ maxConcurrentTaskExecutions: 20 })
    let seen: Array<string> | undefined
    let pending: Promise<void> | undefined
    quickTask(survivor, 'work', (ctx) => {
      pending ??= world.rows().then((rows) => {
        seen = rows.filter(({ status }) => status === 'running').map(({ executionId }) => executionId)
        assert.deepEqual(seen, [ctx.executionId])
      })
      return pending
    })
    await world.until(survivor.start())
    for (const handle of handles) {
      assert.equal((await world.finish(handle)).status, 'completed')
    }
    assert.equal(seen?.length, 1)
    assert.ok((await world.rows()).every(({ losses }) => losses === 0))
  }),

  engineCase('apart.once', 'twenty turns take no more than one claim each', async (world) => {
    const handles = await loseAll(world, 20)
    let released = 0
    const heard = withCallListener(world.storage, (call) => {
      const text = JSON.stringify(call.args)
      released += isWrite(call) ? text.split('"status":"ready"').length - 1 : 0
    })
    const survivor = world.newExecutor({ maxConcurrentTaskExecutions: 50, storage: heard })
    quickTask(survivor, 'work')
    await world.until(survivor.start())
    for (const handle of handles) {
      assert.equal((await world.finish(handle)).status, 'completed')
    }
    // All but the first were given back once; not nineteen, eighteen, seventeen, and so on.
    assert.ok(released < 2 * handles.length, `${released} rows were given back`)
  }),
]
