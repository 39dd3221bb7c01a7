/**
 * Random trees, up to four levels below the root and fifty children wide. What a parent asks for is worked out from its
 * input alone, a number that holds the seed and what is left to spend, so that whoever knows the input knows the tree.
 */

import { between, oneOf, seededRandom } from './chance.ts'

/**
 * What a tree is made for. `sound`: everything completes. `bad`: one execution far below fails, and all above it with it,
 * while endless ones beside it wait to be cancelled. `stuck`: one never ends, so that the tree is there to be cancelled.
 * `old` and `new`: parents that only that version of the code knows.
 */
export const FLAVOURS = ['sound', 'bad', 'stuck', 'old', 'new'] as const
export type Flavour = (typeof FLAVOURS)[number]

export type TreeNode = {
  seed: number
  flavour: Flavour
  /** How many levels there may be below it. */
  depth: number
  /** About how many executions there may be below it, finalize executions not counted. */
  budget: number
}

/** A child: its task and its input. */
export type Below = { taskId: string; input: number }

/** What a parent asks for, and what its finalize task asks for, if that is one that fans out again. */
export type Plan = { children: Array<Below>; more: Array<Below> }

/** Parents with a finalize task, with one that fans out again, without any, and those of one version alone. */
const TREE_TASKS = ['knot', 'grower', 'bare', 'old_knot', 'new_knot'] as const
export type TreeTask = (typeof TREE_TASKS)[number]

export const DEEPEST = 4
export const WIDEST = 50

const BUDGET_LIMIT = 1_024
const DEPTH_LIMIT = 8
const FLAVOUR_LIMIT = 8
const SEED_LIMIT = 2 ** 24

// Inputs of leaves are small: outputs are multiples of them, and must stay exact.
const LEAF_INPUTS = 1_000

/** The root or an inner node of a tree, as a child of whoever asks for it. */
export function treeOf({ seed, flavour, depth, budget }: TreeNode): Below {
  const random = seededRandom(seed)
  const input =
    (((Math.floor(seed) % SEED_LIMIT) * BUDGET_LIMIT + Math.min(budget, BUDGET_LIMIT - 1)) * DEPTH_LIMIT +
      Math.min(depth, DEEPEST)) *
      FLAVOUR_LIMIT +
    FLAVOURS.indexOf(flavour)
  const taskId =
    flavour === 'old' || flavour === 'new'
      ? `${flavour}_knot`
      : oneOf(random, ['knot', 'knot', 'grower', 'bare'])
  return { taskId, input }
}

export function isTreeTask(taskId: string): taskId is TreeTask {
  return TREE_TASKS.some((one) => one === taskId)
}

/** What the execution of that task with that input asks for. */
export function planOf(taskId: string, input: number): Plan {
  const node = nodeOf(input)
  const random = seededRandom(input)
  if (taskId !== 'grower') {
    return { children: fanOut(node, node.budget, node.flavour, random), more: [] }
  }
  const first = Math.ceil(node.budget * 0.6)
  // The one that fails is found before the parent is finalized, or after; one that is endless always before.
  const isLater = node.flavour === 'bad' && random() < 0.5
  const [before, after] = isLater ? (['sound', 'bad'] as const) : ([node.flavour, 'sound'] as const)
  return {
    children: fanOut(node, first, before, random),
    more: fanOut(node, node.budget - first, after, random),
  }
}

function nodeOf(input: number): TreeNode {
  const digits = (divisor: number, limit: number): number => Math.floor(input / divisor) % limit
  return {
    flavour: FLAVOURS[digits(1, FLAVOUR_LIMIT)] ?? 'sound',
    depth: digits(FLAVOUR_LIMIT, DEPTH_LIMIT),
    budget: digits(FLAVOUR_LIMIT * DEPTH_LIMIT, BUDGET_LIMIT),
    seed: digits(FLAVOUR_LIMIT * DEPTH_LIMIT * BUDGET_LIMIT, SEED_LIMIT),
  }
}

function fanOut(
  { depth }: Pick<TreeNode, 'depth'>,
  budget: number,
  flavour: Flavour,
  random: () => number,
): Array<Below> {
  // Most are narrow, since squares are small, and some are as wide as can be.
  const width = Math.max(1, Math.min(WIDEST, budget, 1 + Math.floor(random() ** 2 * WIDEST)))
  const rest = budget - width
  const inner = depth > 1 && rest > 0 ? between(random, 1, Math.min(3, width)) : 0
  const below: Array<Below> = []
  for (let index = 0; index < inner; index += 1) {
    const share = Math.max(1, Math.floor(rest / inner))
    const flavourBelow = index === 0 || flavour === 'old' || flavour === 'new' ? flavour : 'sound'
    const seed = Math.floor(random() * SEED_LIMIT)
    below.push(treeOf({ seed, flavour: flavourBelow, depth: depth - 1, budget: share }))
  }
  while (below.length < width) {
    below.push(leafOf(flavour, random))
  }
  // With no level left to hand it on to, the flavour is this row's own.
  if (inner === 0 && flavour === 'bad') {
    below[0] = { taskId: oneOf(random, ['broken', 'too_late']), input: 1 }
  }
  if (inner === 0 && flavour === 'stuck') {
    below[0] = { taskId: 'endless', input: 1 }
  }
  // One that never ends beside the one that fails, or beside what leads to it.
  if (flavour === 'bad' && width > inner + 1 && random() < 0.5) {
    below[width - 1] = { taskId: 'endless', input: 2 }
  }
  return rotated(below, random)
}

function leafOf(flavour: Flavour, random: () => number): Below {
  const input = Math.floor(random() * LEAF_INPUTS)
  if ((flavour === 'old' || flavour === 'new') && random() < 0.4) {
    return { taskId: `only_${flavour}`, input }
  }
  const chance = random()
  if (chance < 0.03) {
    return { taskId: 'late', input }
  }
  if (chance < 0.05) {
    return { taskId: 'patient', input }
  }
  return { taskId: chance < 0.11 ? 'sequence' : oneOf(random, ['leaf', 'leaf', 'plain']), input }
}

// So that inner nodes are not always the first of the list.
function rotated(below: Array<Below>, random: () => number): Array<Below> {
  const by = Math.floor(random() * below.length)
  return [...below.slice(by), ...below.slice(0, by)]
}

// A prime, so that what is folded stays an exact number, whatever is multiplied.
const FOLD_LIMIT = 1_000_003

/** Many outputs in one number, that of another order being another number. */
export function fold(outputs: ReadonlyArray<number>): number {
  return outputs.reduce((folded, output) => (folded * 31 + output) % FOLD_LIMIT, 7)
}

/** The number that an output stands for: that of a parent without a finalize task is made of its children's. */
export function valueOf(output: unknown): number {
  if (typeof output === 'number') {
    return output
  }
  const { childrenTasksOutputs = [] } = output as { childrenTasksOutputs?: Array<{ output: unknown }> }
  return fold(childrenTasksOutputs.map((child) => valueOf(child.output)))
}
