/** The small worlds that are explored, each with its bounds. */

import { type Scenario } from './scenario.ts'
import { DURABLE_SCENARIOS } from './scenarios-of-durable-code.ts'
import {
  both,
  fails,
  failsForNow,
  fansOut,
  givesUp,
  good,
  plain,
  retried,
  succeeds,
  timesOut,
  usual,
} from './sketches.ts'

export const SCENARIOS: ReadonlyArray<Scenario> = [
  {
    ...usual,
    name: 'one task',
    about: 'the life of one row, with every misfortune twice and every way to end',
    tasks: {
      task: {
        outcomes: [succeeds, failsForNow, fails, timesOut, givesUp],
        retryOptions: { maxAttempts: 1, baseDelayMs: 1_000 },
      },
    },
    rootTaskId: 'task',
    executors: both('task'),
    maxLosses: 2,
    maxOpenFinds: 2,
    misfortunes: { crashes: 2, stalls: 1, cancels: 1, releases: 1, lostReplies: 1, rollbacks: 1 },
  },
  {
    ...usual,
    name: 'two children and finalize',
    about: 'a parent, a plain child, a child that is retried once, and a finalize task that may fail',
    tasks: {
      parent: { outcomes: [fansOut('child', 'retried'), fails], finalizeTaskId: 'last' },
      child: plain,
      retried,
      last: plain,
    },
    rootTaskId: 'parent',
    executors: both('parent', 'child', 'retried', 'last'),
    misfortunes: { crashes: 1, stalls: 1, cancels: 1 },
  },
  {
    ...usual,
    name: 'stalls and lost replies',
    about: 'the same, with leases that lapse under runs that are alive, and transactions that are repeated',
    tasks: {
      parent: { outcomes: [fansOut('child', 'retried')], finalizeTaskId: 'last' },
      child: plain,
      retried,
      last: good,
    },
    rootTaskId: 'parent',
    executors: both('parent', 'child', 'retried', 'last'),
    maxOpenFinds: 2,
    misfortunes: { stalls: 1, lostReplies: 1 },
  },
  {
    ...usual,
    name: 'three children and finalize',
    about: 'three children of which each may fail',
    tasks: {
      parent: { outcomes: [fansOut('child', 'child', 'retried')], finalizeTaskId: 'last' },
      child: plain,
      retried,
      last: good,
    },
    rootTaskId: 'parent',
    executors: both('parent', 'child', 'retried', 'last'),
    misfortunes: { stalls: 1 },
  },
  {
    ...usual,
    name: 'closing by sweeps',
    about: 'settling locks no parents: every end is written by transactions that look for it, two at a time',
    tasks: {
      parent: { outcomes: [fansOut('child', 'child')], finalizeTaskId: 'last' },
      child: plain,
      last: plain,
    },
    rootTaskId: 'parent',
    executors: both('parent', 'child', 'last'),
    isSweepingTogether: true,
    isSettlingWithParents: false,
    maxOpenFinds: 2,
    misfortunes: { crashes: 1, cancels: 1 },
  },
  {
    ...usual,
    name: 'closing of the last child',
    about: 'one child, settled over the row as it was claimed, and closed by two that found it at once',
    tasks: {
      parent: { outcomes: [fansOut('child')], finalizeTaskId: 'last' },
      child: good,
      last: good,
    },
    rootTaskId: 'parent',
    executors: both('parent', 'child', 'last'),
    isSettlingWithParents: false,
    maxOpenFinds: 2,
    isSettlingFromClaims: true,
    misfortunes: { crashes: 1, stalls: 1, lostReplies: 1 },
  },
  {
    ...usual,
    name: 'a parent that one executor does not know',
    about: 'B runs children whose parent it does not know',
    tasks: {
      parent: { outcomes: [fansOut('child', 'retried')], finalizeTaskId: 'last' },
      child: plain,
      retried,
      last: good,
    },
    rootTaskId: 'parent',
    executors: [
      ['parent', 'child', 'retried', 'last'],
      ['child', 'retried'],
    ],
    isSettlingFromClaims: true,
    misfortunes: { stalls: 1, cancels: 1 },
  },
  {
    ...usual,
    name: 'a parent below a parent',
    about: 'a tree of three storeys, whose middle has no finalize task',
    tasks: {
      top: { outcomes: [fansOut('middle', 'leaf')] },
      middle: { outcomes: [fansOut('leaf')] },
      leaf: plain,
    },
    rootTaskId: 'top',
    executors: both('top', 'middle', 'leaf'),
    misfortunes: { crashes: 1, cancels: 1 },
  },
  {
    ...usual,
    name: 'a finalize task with children',
    about:
      'the finalize task is a parent itself, the first parent may have no children, and rows are locked lean',
    tasks: {
      parent: { outcomes: [fansOut('child'), fansOut()], finalizeTaskId: 'last' },
      child: good,
      last: { outcomes: [fansOut('child', 'child')], finalizeTaskId: 'very_last' },
      very_last: plain,
    },
    rootTaskId: 'parent',
    executors: both('parent', 'child', 'last', 'very_last'),
    isLockingLean: true,
    misfortunes: { stalls: 1, cancels: 2 },
  },
  {
    ...usual,
    name: 'children that do not exist',
    about: 'parents that return no children, outputs that cannot be put together, and rows locked lean',
    tasks: {
      top: { outcomes: [fansOut('none', 'broken', 'broken_alone'), fansOut('broken')] },
      none: { outcomes: [fansOut()] },
      broken: { outcomes: [fansOut('child')], isFanInBroken: true },
      broken_alone: { outcomes: [fansOut()], isFanInBroken: true },
      child: good,
    },
    rootTaskId: 'top',
    executors: both('top', 'none', 'broken', 'broken_alone', 'child'),
    isLockingLean: true,
    misfortunes: { cancels: 1 },
  },
  {
    ...usual,
    name: 'executors that leave',
    about:
      'runs are given back in the middle of a tree, a lease lapses beside that, and any row is cancelled',
    tasks: {
      parent: { outcomes: [fansOut('child', 'retried')], finalizeTaskId: 'last' },
      child: good,
      retried,
      last: plain,
    },
    rootTaskId: 'parent',
    executors: both('parent', 'child', 'retried', 'last'),
    misfortunes: { crashes: 1, releases: 2, cancels: 1 },
  },
  {
    ...usual,
    name: 'a deadline',
    about: 'the deadline of a tree passes at any time, and executors crash beside that',
    tasks: {
      parent: { outcomes: [fansOut('child', 'retried')], finalizeTaskId: 'last' },
      child: good,
      retried,
      last: good,
    },
    rootTaskId: 'parent',
    executors: both('parent', 'child', 'retried', 'last'),
    deadlineMs: 10_000,
    misfortunes: { crashes: 1, cancels: 1 },
  },
  {
    ...usual,
    name: 'children that may fail',
    about: 'a parent that goes on when its children have ended, however they did, and rows locked lean',
    tasks: {
      parent: {
        outcomes: [fansOut('child', 'retried')],
        finalizeTaskId: 'last',
        toleratedFailures: Infinity,
      },
      child: plain,
      retried,
      last: good,
    },
    rootTaskId: 'parent',
    executors: both('parent', 'child', 'retried', 'last'),
    isLockingLean: true,
    misfortunes: { crashes: 1, cancels: 1 },
  },
  {
    ...usual,
    name: 'one child may fail',
    about:
      'three children of which one may fail, closed by sweeps, on a storage that keeps no count of its own',
    tasks: {
      parent: { outcomes: [fansOut('child', 'child', 'child')], toleratedFailures: 1 },
      child: plain,
    },
    rootTaskId: 'parent',
    executors: both('parent', 'child'),
    isSettlingWithParents: false,
    isSweepingTogether: true,
    isKeepingFewFields: true,
    misfortunes: { cancels: 1 },
  },
  {
    ...usual,
    name: "the contract's fields only",
    about: 'a storage that keeps no leases, losses, depths and places: the fence is startedAt alone',
    tasks: {
      parent: { outcomes: [fansOut('child', 'child')], finalizeTaskId: 'last' },
      child: plain,
      last: good,
    },
    rootTaskId: 'parent',
    executors: both('parent', 'child', 'last'),
    isKeepingFewFields: true,
    misfortunes: { crashes: 1, stalls: 1, lostReplies: 1 },
  },
  ...DURABLE_SCENARIOS,
]

/** The scenario of that name. */
export function scenarioNamed(name: string): Scenario {
  const scenario = SCENARIOS.find((each) => each.name === name)
  if (scenario === undefined) {
    throw new Error(
      `There is no scenario ${name}. There are: ${SCENARIOS.map((each) => each.name).join(', ')}`,
    )
  }
  return scenario
}
