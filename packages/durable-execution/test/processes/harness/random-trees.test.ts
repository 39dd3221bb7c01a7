/** Random trees: bounded, the same for the same seed, as deep as promised, and ending as their flavour says. */

import { expect, test } from 'vitest'

import { type ExpectedEnd, expectedEnd } from './expected.ts'
import {
  type Below,
  DEEPEST,
  FLAVOURS,
  type Flavour,
  isTreeTask,
  planOf,
  treeOf,
  WIDEST,
} from './random-trees.ts'
import { KNOWN_TO } from './tasks.ts'

const SEEDS = Array.from({ length: 300 }, (_, index) => index * 55_001)
const BUDGET = 200

const rootOf = (seed: number, flavour: Flavour = 'sound'): Below =>
  treeOf({ seed, flavour, depth: DEEPEST, budget: BUDGET })

/** What is below, level by level, the root first. */
function levelsOf(root: Below): Array<Array<Below>> {
  const levels: Array<Array<Below>> = []
  for (let level = [root]; level.length > 0;) {
    levels.push(level)
    level = level
      .filter(({ taskId }) => isTreeTask(taskId))
      .flatMap(({ taskId, input }) => {
        const { children, more } = planOf(taskId, input)
        return [...children, ...more]
      })
  }
  return levels
}

test('no tree is deeper than four levels below its root, wider than fifty children or larger than its budget', () => {
  for (const flavour of FLAVOURS) {
    for (const seed of SEEDS) {
      const root = rootOf(seed, flavour)
      const levels = levelsOf(root)
      expect(levels.length - 1).toBeLessThanOrEqual(DEEPEST)
      expect(levels.flat().length - 1).toBeLessThanOrEqual(BUDGET * 1.2)
      for (const { taskId, input } of levels.flat().filter(({ taskId }) => isTreeTask(taskId))) {
        const { children, more } = planOf(taskId, input)
        expect(Math.max(children.length, more.length)).toBeLessThanOrEqual(WIDEST)
        expect(children.length).toBeGreaterThan(0)
      }
    }
  }
})

test('some are four levels deep, some fifty children wide, and every kind of parent comes up', () => {
  const all = SEEDS.map((seed) => levelsOf(rootOf(seed)))
  expect(all.filter((levels) => levels.length - 1 === DEEPEST).length).toBeGreaterThan(50)
  const parents = all.flat(2).filter(({ taskId }) => isTreeTask(taskId))
  expect(new Set(parents.map(({ taskId }) => taskId))).toEqual(new Set(['knot', 'grower', 'bare']))
  const widths = parents.map(({ taskId, input }) => planOf(taskId, input).children.length)
  expect(Math.max(...widths)).toBeGreaterThan(WIDEST * 0.9)
})

test('the same input asks for the same children, in any process', () => {
  for (const seed of SEEDS) {
    expect(levelsOf(rootOf(seed))).toEqual(levelsOf(rootOf(seed)))
  }
})

const ENDS: Record<Flavour, ReadonlyArray<ExpectedEnd['status']>> = {
  sound: ['completed'],
  old: ['completed'],
  new: ['completed'],
  stuck: ['cancelled'],
  bad: ['children_tasks_failed', 'finalize_task_failed'],
}

test.for(FLAVOURS)('a tree that is %s ends so', (flavour) => {
  const statuses = SEEDS.map((seed) => {
    const { taskId, input } = rootOf(seed, flavour)
    return expectedEnd(taskId, input)?.status
  })
  expect(new Set(statuses)).toEqual(new Set(ENDS[flavour]))
})

test('a bad tree has one execution that fails by itself, and all that are endless have a reason to be cancelled', () => {
  for (const seed of SEEDS) {
    const all = levelsOf(rootOf(seed, 'bad')).flat()
    expect(all.filter(({ taskId }) => taskId === 'broken' || taskId === 'too_late')).toHaveLength(1)
    for (const { taskId, input } of all.filter(({ taskId }) => isTreeTask(taskId))) {
      for (const list of Object.values(planOf(taskId, input))) {
        const ends = list.map((below) => expectedEnd(below.taskId, below.input)?.status)
        const isCancelled = ends.includes('cancelled')
        expect(isCancelled && ends.every((end) => end === 'completed' || end === 'cancelled')).toBe(false)
      }
    }
  }
})

test('only trees of one version ask for what one version alone knows', () => {
  const knowersOf = (flavour: Flavour): Set<string | undefined> =>
    new Set(
      SEEDS.flatMap((seed) =>
        levelsOf(rootOf(seed, flavour))
          .flat()
          .map(({ taskId }) => KNOWN_TO.get(taskId)),
      ),
    )
  expect(knowersOf('sound')).toEqual(new Set([undefined]))
  expect(knowersOf('bad')).toEqual(new Set([undefined]))
  expect(knowersOf('old')).toEqual(new Set([undefined, 'old']))
  expect(knowersOf('new')).toEqual(new Set([undefined, 'new']))
})
