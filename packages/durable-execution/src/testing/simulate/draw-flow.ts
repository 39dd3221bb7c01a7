/** Draws durable code. */

import { type Chance } from './chance.ts'
import { drawWork, FLAKY_RETRIES, type Move, type Work } from './work.ts'

type Flow = Extract<Work, { kind: 'flow' }>

/** What one flow may hold. */
type Bounds = {
  /** How many executions it may become. */
  room: number
  depth: number
  /** The signals that its calls may wait for: those of one name are not waited for side by side. */
  signals: ReadonlyArray<string>
  isBranch: boolean
}

/** The signals that are sent from outside. Others are sent once nothing goes wrong any more. */
export const SIGNALS: ReadonlyArray<string> = ['a', 'b']

const BRANCH_SIGNALS: ReadonlyArray<string> = ['c', 'd', 'e']
const MOST_DEEP = 2

/** A flow; or, now and then, a tree with flows among its children. */
export function drawFlowWork(chance: Chance, room: number): Work {
  if (room > 8 && chance.happens(0.15)) {
    const children = [drawFlow(chance, 6, 1), drawFlow(chance, 6, 1), drawWork(chance, 2, 1)]
    return { kind: 'tree', value: chance.between(1, 99), children, end: chance.pick(['none', 'sum', 'tree']) }
  }
  return drawFlow(chance, room, 0)
}

function drawFlow(chance: Chance, room: number, depth: number): Flow {
  const bounds = { room, depth, signals: SIGNALS, isBranch: false }
  const moves = drawMoves(chance, chance.between(2, depth === 0 ? 10 : 4), bounds)
  // One that ends badly when it has done a good deal, so that there is something to undo.
  const isBad = chance.happens(depth === 0 ? 0.3 : 0.15)
  const all: Array<Move> = isBad
    ? [drawUndo(chance), ...moves, drawUndo(chance), { move: 'throw', attempts: FLAKY_RETRIES + 1 }]
    : moves
  if (depth === 0 && chance.happens(0.1)) {
    const hang: Move = {
      move: 'hang',
      attempts: chance.between(1, FLAKY_RETRIES + 1),
      isStep: chance.happens(0.5),
    }
    all.splice(chance.between(0, all.length), 0, hang)
  }
  return { kind: 'flow', value: chance.between(1, 99), moves: all }
}

function drawMoves(chance: Chance, count: number, bounds: Bounds): Array<Move> {
  return Array.from({ length: count }, () => drawMove(chance, bounds))
}

function drawMove(chance: Chance, bounds: Bounds): Move {
  const { room, depth, signals, isBranch } = bounds
  if (chance.happens(0.3)) {
    return drawSpecial(chance, bounds)
  }
  const dice = chance.random()
  if (dice < 0.36) {
    return drawStep(chance)
  }
  if (dice < 0.48) {
    return { move: 'sleep', ms: chance.pick([1, 300, 1_500, 4_000, 9_000]) }
  }
  if (dice < 0.6 && signals.length > 0) {
    return { move: 'wait', name: chance.pick(signals), timeoutMs: drawLimit(chance) }
  }
  if (dice < 0.74 && room > 2 && depth < MOST_DEEP) {
    const works = Array.from({ length: chance.pick([1, 1, 2, 3]) }, () => drawChild(chance, room, depth + 1))
    return { move: 'children', works, isCaught: chance.happens(0.6) }
  }
  if (dice < 0.8) {
    return { move: 'state', value: chance.between(1, 99) }
  }
  if (dice < 0.83) {
    return { move: 'fickle', attempts: chance.between(1, FLAKY_RETRIES) }
  }
  if (dice < 0.9) {
    return drawUndo(chance)
  }
  if (dice < 0.95 || isBranch) {
    return { move: 'throw', attempts: chance.pick([1, 1, FLAKY_RETRIES, FLAKY_RETRIES + 1]) }
  }
  const branches = BRANCH_SIGNALS.slice(0, chance.between(2, BRANCH_SIGNALS.length)).map((name) =>
    drawMoves(chance, chance.between(1, 3), { ...bounds, room: room / 3, signals: [name], isBranch: true }),
  )
  return { move: 'all', branches }
}

function drawUndo(chance: Chance): Move {
  return { move: 'undo', failures: chance.pick([0, 0, 1, 2]), isHopeless: chance.happens(0.1) }
}

function drawStep(chance: Chance): Extract<Move, { move: 'step' }> {
  return {
    move: 'step',
    value: chance.between(1, 99),
    ms: chance.happens(0.5) ? 0 : chance.between(1, 2_000),
    failures: chance.pick([0, 0, 0, 1, 1, 2, 3]),
    retries: chance.pick([0, 2, 2, 3]),
    delayMs: chance.pick([0, 200, 1_500, 5_000]),
    isCaught: chance.happens(0.7),
    ...(chance.happens(0.2) ? { ms: 0, limitMs: chance.pick([100, 1_500]) } : {}),
  }
}

function drawSpecial(chance: Chance, bounds: Bounds): Move {
  const { signals } = bounds
  const dice = chance.random()
  if (dice < 0.35) {
    return { move: 'loose', begun: drawBegun(chance, bounds, true) }
  }
  if (dice < 0.7) {
    const legs = Array.from({ length: chance.pick([2, 2, 3]) }, () => drawBegun(chance, bounds, false))
    return { move: 'race', legs }
  }
  if (dice < 0.87 && signals.length > 0) {
    const limits = Array.from({ length: chance.pick([2, 2, 3]) }, () => drawLimit(chance) ?? 0)
    return { move: 'waits', name: chance.pick(signals), limits }
  }
  return { move: 'undos', count: chance.between(2, 3) }
}

/** What may be left to itself. */
function drawBegun(chance: Chance, { room, depth, signals }: Bounds, isLoose: boolean): Move {
  const dice = chance.random()
  if (dice < 0.3) {
    return { ...drawStep(chance), isCaught: true }
  }
  if (dice < 0.5) {
    return { move: 'sleep', ms: chance.pick([1, 300, 1_500, 4_000, 9_000]) }
  }
  if (dice < 0.65 && isLoose) {
    return drawUndo(chance)
  }
  if (dice < 0.85 && room > 2 && depth < MOST_DEEP) {
    return { move: 'children', works: [drawChild(chance, room / 3, depth + 1)], isCaught: true }
  }
  return { move: 'wait', name: chance.pick(signals), timeoutMs: drawLimit(chance) }
}

function drawLimit(chance: Chance): number | undefined {
  return chance.happens(0.5) ? chance.pick([200, 900, 3_000, 8_000]) : undefined
}

function drawChild(chance: Chance, room: number, depth: number): Work {
  return chance.happens(0.4) ? drawFlow(chance, room / 2, depth) : drawWork(chance, room / 3, depth)
}
