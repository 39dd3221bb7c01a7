/** What simulated tasks do: their input says it whole, so that what must come of it can be computed. */

import { type Chance } from './chance.ts'

/** One piece of work. */
export type Work =
  | { kind: 'plain'; value: number; ms: number }
  /** Fails that many times, and is retried. */
  | { kind: 'flaky'; value: number; ms: number; failures: number }
  | { kind: 'failing'; ms: number }
  /** Goes on beyond its timeout; `obeys`: it stops when it is told to. */
  | { kind: 'slow'; obeys: boolean }
  | { kind: 'tree'; value: number; children: ReadonlyArray<Work>; end: 'none' | 'sum' | 'tree' }
  /** Members that add one each. */
  | { kind: 'sequence'; value: number; members: 2 | 3 }
  /** Durable code. */
  | { kind: 'flow'; value: number; moves: ReadonlyArray<Move>; mark?: string }

/** What durable code does, one call after the other; its output is what they give, added up. */
export type Move =
  /** Its first tries fail. `isCaught`: if it fails in the end, the code goes on without it. */
  | {
      move: 'step'
      value: number
      ms: number
      failures: number
      retries: number
      delayMs: number
      isCaught: boolean
      /** Every other of the tries that fail hangs, until this is over. */
      limitMs?: number
    }
  | { move: 'sleep'; ms: number }
  /** Gives 1; nothing with a time limit, since it may be over or not. */
  | { move: 'wait'; name: string; timeoutMs: number | undefined }
  | { move: 'children'; works: ReadonlyArray<Work>; isCaught: boolean }
  /** Registers something to be undone, whose first tries fail; with `isHopeless` all do. */
  | { move: 'undo'; failures: number; isHopeless: boolean }
  /** Registers several at once. */
  | { move: 'undos'; count: number }
  /** A step that fails in the first attempts, which then register something to be undone, and is done in later ones. */
  | { move: 'fickle'; attempts: number }
  | { move: 'state'; value: number }
  /** Throws in the first attempts. */
  | { move: 'throw'; attempts: number }
  /** Waits of one name, side by side; with a limit of 0 for as long as it takes. */
  | { move: 'waits'; name: string; limits: ReadonlyArray<number> }
  /** Hangs in the first attempts until they time out, in a step or beside. */
  | { move: 'hang'; attempts: number; isStep: boolean }
  /** Is begun, and not awaited. */
  | { move: 'loose'; begun: Move }
  /** Goes on with the first that ends, which a step keeps; registers something to be undone if it is the first of the list. */
  | { move: 'race'; legs: ReadonlyArray<Move> }
  /** Several at once. */
  | { move: 'all'; branches: ReadonlyArray<ReadonlyArray<Move>> }

/** What comes of it when nobody cancels it: its output, or undefined if it ends badly. */
export function expectedOf(work: Work): number | undefined {
  switch (work.kind) {
    case 'plain':
      return work.value
    case 'flaky':
      return work.failures <= FLAKY_RETRIES ? work.value : undefined
    case 'failing':
    case 'slow':
      return undefined
    case 'sequence':
      return work.value + work.members
    case 'tree':
      return sumOf(work.value, work.children.map(expectedOf))
    case 'flow':
      return sumOf(work.value, work.moves.map(expectedOfMove))
  }
}

/** What a move gives; undefined if it ends its execution badly. */
function expectedOfMove(move: Move): number | undefined {
  switch (move.move) {
    case 'step':
      return move.failures <= move.retries ? move.value : otherwise(move)
    case 'children':
      return sumOf(0, move.works.map(expectedOf)) ?? otherwise(move)
    case 'wait':
      return move.timeoutMs === undefined ? 1 : 0
    case 'waits':
      return move.limits.filter((limitMs) => limitMs === 0).length
    case 'throw':
    case 'hang':
      return move.attempts <= FLAKY_RETRIES ? 0 : undefined
    case 'all':
      return sumOf(0, move.branches.flat().map(expectedOfMove))
    case 'loose':
    case 'race':
    case 'sleep':
    case 'undo':
    case 'undos':
    case 'fickle':
    case 'state':
      return 0
  }
}

function otherwise({ isCaught }: { isCaught: boolean }): number | undefined {
  return isCaught ? 0 : undefined
}

function sumOf(value: number, parts: ReadonlyArray<number | undefined>): number | undefined {
  return parts.includes(undefined) ? undefined : parts.reduce<number>((sum, part) => sum + (part ?? 0), value)
}

/** How often a flaky task is retried, and durable code. */
export const FLAKY_RETRIES = 2

/** Draws some work; `room` bounds how many executions it may become. */
export function drawWork(chance: Chance, room: number, depth: number = 0): Work {
  const value = chance.between(1, 99)
  const ms = chance.happens(0.5) ? 0 : chance.between(1, 3_000)
  const dice = chance.random()
  if (room > 3 && depth < 3 && dice < (depth === 0 ? 0.5 : 0.3)) {
    return drawTree(chance, room, depth, value)
  }
  if (dice < 0.6) {
    return { kind: 'plain', value, ms }
  }
  if (dice < 0.8) {
    return { kind: 'flaky', value, ms, failures: chance.between(0, FLAKY_RETRIES + (depth === 0 ? 1 : 0)) }
  }
  if (dice < 0.92 || room < 3) {
    return depth === 0 || chance.happens(0.3) ? { kind: 'failing', ms } : { kind: 'plain', value, ms }
  }
  if (dice < 0.96) {
    return { kind: 'slow', obeys: chance.happens(0.5) }
  }
  return { kind: 'sequence', value, members: chance.pick([2, 3]) }
}

function drawTree(chance: Chance, room: number, depth: number, value: number): Work {
  const count = chance.between(0, Math.min(room - 2, 5))
  const each = Math.floor((room - 2 - count) / Math.max(count, 1))
  const children = Array.from({ length: count }, () => drawWork(chance, each, depth + 1))
  return { kind: 'tree', value, children, end: chance.pick(['none', 'sum', 'sum', 'tree']) }
}

/** The task that does such work. A tree without a finalize task gives an output of another shape. */
export function taskIdOf(work: Work): string {
  switch (work.kind) {
    case 'tree':
      return `tree_${work.end}`
    case 'sequence':
      return `sequence_${work.members}`
    default:
      return work.kind
  }
}
