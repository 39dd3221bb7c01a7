/** The task of a simulation that is durable code: it does the moves of its work, and tells the witness what it saw. */

import { DurableExecutionError, DurableExecutionTimedOutError } from '../../base/errors.ts'
import { type DurableTaskRunContext } from '../../task/context.ts'
import { type DurableRunTaskOptions } from '../../task/durable-context.ts'
import { type FlowRun } from './flow-witness.ts'
import { type Hands, numberOf, taskOf, type Tasks } from './sim-tasks.ts'
import { type Move, type Work } from './work.ts'

type MoveOf<K extends Move['move']> = Extract<Move, { move: K }>

/** A run, and the names of its calls. */
type Scene = {
  ctx: DurableTaskRunContext
  run: FlowRun
  hands: Hands
  tasks: Tasks
  /** Calls that may be made side by side have names of their own. */
  branch: string
  /** How many things to be undone each branch has registered. */
  undos: Map<string, number>
}

/** The message of each error that is part of the work. */
const PLANNED = 'planned failure'

/** Ends the names of calls that are not awaited. */
const ASIDE = ' aside'

// Longer than any run may last.
const HANG_MS = 400_000

/** Does the work. */
export async function runFlow(
  ctx: DurableTaskRunContext,
  work: Work,
  hands: Hands,
  tasks: Tasks,
): Promise<number> {
  const run = hands.begin(ctx)
  if (work.kind !== 'flow') {
    throw new DurableExecutionError(`${work.kind} is no durable code`, false)
  }
  return work.value + (await doMoves(work.moves, { ctx, run, hands, tasks, branch: '', undos: new Map() }))
}

async function doMoves(moves: ReadonlyArray<Move>, scene: Scene): Promise<number> {
  let sum = 0
  for (const move of moves) {
    sum += await doMove(move, scene)
  }
  return sum
}

async function doMove(move: Move, scene: Scene): Promise<number> {
  switch (move.move) {
    case 'step':
      return await doStep(move, scene)
    case 'sleep': {
      const name = `sleep${scene.branch}`
      const sleepId = scene.run.next(name)
      await scene.ctx.sleep(name, move.ms)
      scene.run.sawSleep(sleepId)
      return 0
    }
    case 'wait':
      return await doWait(move, scene)
    case 'waits': {
      const waits = move.limits.map(async (limitMs) =>
        doWait({ move: 'wait', name: move.name, timeoutMs: limitMs === 0 ? undefined : limitMs }, scene),
      )
      return (await Promise.all(waits)).reduce((sum, output) => sum + output, 0)
    }
    case 'hang':
      await doHang(move, scene)
      return 0
    case 'loose':
      doMove(move.begun, { ...scene, branch: `${scene.branch}${ASIDE}` }).catch(() => {
        // Nobody waits for it.
      })
      return 0
    case 'race':
      await doRace(move, scene)
      return 0
    case 'children':
      return await doChildren(move, scene)
    case 'undo':
      await registerUndo(move, scene, nextUndo(scene))
      return 0
    case 'undos': {
      const one: MoveOf<'undo'> = { move: 'undo', failures: 0, isHopeless: false }
      const names = Array.from({ length: move.count }, () => nextUndo(scene))
      await Promise.all(names.map(async (name) => registerUndo(one, scene, name)))
      return 0
    }
    case 'fickle':
      await doFickle(move, scene)
      return 0
    case 'state':
      await scene.ctx.setState(move.value)
      return 0
    case 'throw':
      if (scene.ctx.attempt < move.attempts) {
        throw new Error(`${PLANNED} of the attempt`)
      }
      return 0
    case 'all': {
      const branches = move.branches.map(async (moves, index) =>
        doMoves(moves, { ...scene, branch: ` in ${index}` }),
      )
      return (await Promise.all(branches)).reduce((sum, output) => sum + output, 0)
    }
  }
}

async function doStep(move: MoveOf<'step'>, { ctx, run, hands, branch }: Scene): Promise<number> {
  const name = `step${branch}`
  const stepId = run.next(name)
  const { limitMs } = move
  const retryOptions = { maxAttempts: move.retries, baseDelayMs: move.delayMs }
  try {
    const result = await ctx.step(
      name,
      async (step) => {
        const given = run.calls(step, move.value)
        await (move.ms === 0 ? undefined : hands.pause(move.ms))
        if (step.attempt < move.failures) {
          await (limitMs !== undefined && step.attempt % 2 === 0 ? hands.pause(limitMs * 3) : undefined)
          throw new Error(`${PLANNED} of a step`)
        }
        return given
      },
      { retryOptions, timeoutMs: limitMs },
    )
    run.sawStep(stepId, result)
    return result.value
  } catch (error) {
    const isPlanned =
      error instanceof Error &&
      (error.message.startsWith(PLANNED) || error.message === `Step ${name} timed out`)
    if (isPlanned) {
      run.sawFailure(stepId, move.retries)
    }
    return caught(move, error, isPlanned)
  }
}

async function doWait({ name, timeoutMs }: MoveOf<'wait'>, { ctx, run }: Scene): Promise<number> {
  const wait = run.waits(name, timeoutMs === undefined)
  try {
    wait.got(await ctx.waitForSignal(name, { timeoutMs }))
    return timeoutMs === undefined ? 1 : 0
  } catch (error) {
    if (error instanceof DurableExecutionTimedOutError) {
      wait.timedOut()
      return 0
    }
    throw error
  }
}

async function doChildren(move: MoveOf<'children'>, { ctx, run, tasks, branch }: Scene): Promise<number> {
  const children = move.works.map((input) => {
    const task = taskOf(tasks, input)
    const options: DurableRunTaskOptions = branch === '' ? {} : { name: `child${branch}` }
    return { task, input, options }
  })
  const ids = children.map(({ task, options }) => run.next(options.name ?? task.id))
  try {
    const [first, ...others] = children
    const outputs =
      first !== undefined && others.length === 0
        ? [await ctx.runTask(first.task, first.input, first.options)]
        : await ctx.runTasks(children)
    run.sawChildren(ids, outputs)
    return outputs.reduce<number>((sum, output) => sum + numberOf(output), 0)
  } catch (error) {
    const failed = error instanceof DurableExecutionError ? error.execution : undefined
    if (failed !== undefined) {
      run.sawFailedChild(ids, failed.executionId)
    }
    return caught(move, error, failed !== undefined)
  }
}

async function doHang(
  { attempts, isStep }: MoveOf<'hang'>,
  { ctx, run, hands, branch }: Scene,
): Promise<void> {
  const hang = async (): Promise<void> => {
    await hands.pause(HANG_MS)
    throw new DurableExecutionError(`${PLANNED} of what nobody waits for any more`, false)
  }
  if (!isStep) {
    await (ctx.attempt < attempts ? hang() : undefined)
    return
  }
  const stepId = run.next(`hang${branch}`)
  const result = await ctx.step(`hang${branch}`, async (step) => {
    const given = run.calls(step, 0)
    await (ctx.attempt < attempts ? hang() : undefined)
    return given
  })
  run.sawStep(stepId, result)
}

async function doRace({ legs }: MoveOf<'race'>, scene: Scene): Promise<void> {
  const { ctx, run, branch } = scene
  const undo = nextUndo(scene)
  const first = await Promise.race(
    legs.map(async (leg, index) => {
      await doMove(leg, { ...scene, branch: `${branch} leg ${index}` })
      return index
    }),
  )
  const stepId = run.next(`winner${branch}`)
  const winner = await ctx.step(`winner${branch}`, (step) => run.calls(step, first))
  run.sawStep(stepId, winner)
  if (winner.value === 0) {
    await registerUndo({ move: 'undo', failures: 0, isHopeless: false }, scene, undo)
  }
}

async function doFickle({ attempts }: MoveOf<'fickle'>, scene: Scene): Promise<void> {
  const { ctx, run, branch } = scene
  const name = nextUndo(scene)
  const stepId = run.next(`fickle${branch}`)
  try {
    const result = await ctx.step(`fickle${branch}`, (step) => {
      const given = run.calls(step, 0)
      if (ctx.attempt < attempts) {
        throw new DurableExecutionError(`${PLANNED} of a step`, false)
      }
      return given
    })
    run.sawStep(stepId, result)
  } catch (error) {
    caught({ isCaught: true }, error, error instanceof Error && error.message.startsWith(PLANNED))
    run.sawFailure(stepId, 0)
    await ctx.compensate(name, (step) => run.undoes(step))
  }
}

async function registerUndo(
  { failures, isHopeless }: MoveOf<'undo'>,
  { ctx, run }: Scene,
  name: string,
): Promise<void> {
  await ctx.compensate(name, (step) => {
    run.undoes(step)
    if (isHopeless) {
      throw new DurableExecutionError(`${PLANNED} of what undoes`, false)
    }
    if (step.attempt < failures) {
      throw new Error(`${PLANNED} of what undoes`)
    }
  })
}

function nextUndo({ branch, undos }: Scene): string {
  const nth = undos.get(branch) ?? 0
  undos.set(branch, nth + 1)
  return undoName(nth, branch)
}

/** What the n-th thing to be undone of a branch is called, from 0. */
export function undoName(nth: number, branch: string): string {
  return `undo ${nth}${branch}`
}

/** What the names of calls in the branches end with, and those outside. */
export const BRANCHES: ReadonlyArray<string> = ['', ' in 0', ' in 1', ' in 2'].flatMap((branch) => [
  branch,
  `${branch}${ASIDE}`,
])

function caught({ isCaught }: { isCaught: boolean }, error: unknown, isPlanned: boolean): number {
  if (isCaught && isPlanned) {
    return 0
  }
  throw error
}
