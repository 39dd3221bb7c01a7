/** Small worlds of durable code: steps, sleeps, signals, and children that are awaited. */

import { type Call } from './durable-code.ts'
import { type Scenario } from './scenario.ts'
import { both, fails, failsForNow, fansOut, good, plain, succeeds, timesOut, usual } from './sketches.ts'

const step = (name: string): Call => ({ kind: 'step', name })
const sleep: Call = { kind: 'sleep', name: 'nap' }
const signal: Call = { kind: 'signal', name: 'go' }
const timedSignal: Call = { kind: 'signal', name: 'soon', isTimed: true }
const children = (...taskIds: Array<string>): Call => ({ kind: 'children', name: 'part', taskIds })
const childLeftBehind: Call = { kind: 'children', name: 'left', taskIds: ['child'], isLeft: true }

const mayRetry = { retryOptions: { maxAttempts: 1, baseDelayMs: 1_000 } }

export const DURABLE_SCENARIOS: ReadonlyArray<Scenario> = [
  {
    ...usual,
    name: 'steps that are remembered',
    about:
      'two steps, one after the other, in runs that crash, stall, repeat what they wrote, and are retried',
    tasks: {
      task: { code: [[step('first')], [step('second')]], outcomes: [succeeds, failsForNow], ...mayRetry },
    },
    rootTaskId: 'task',
    executors: both('task'),
    isSettlingFromClaims: true,
    misfortunes: { crashes: 1, stalls: 1, cancels: 1, releases: 1, lostReplies: 1 },
  },
  {
    ...usual,
    name: 'a sleep',
    about: 'a sleep and a step after it, and a signal that nobody waits for',
    tasks: { task: { code: [[sleep], [step('after')]], outcomes: [succeeds, failsForNow], ...mayRetry } },
    rootTaskId: 'task',
    signals: ['go'],
    executors: both('task'),
    misfortunes: { crashes: 1, stalls: 1, cancels: 1, lostReplies: 1 },
  },
  {
    ...usual,
    name: 'two signals of one name',
    about: 'two waits, and two signals that are sent before, while and after, and again when no reply comes',
    tasks: { task: { code: [[signal], [signal]], outcomes: [succeeds] } },
    rootTaskId: 'task',
    signals: ['go', 'go'],
    executors: both('task'),
    misfortunes: { crashes: 1, stalls: 1, cancels: 1, lostReplies: 1 },
  },
  {
    ...usual,
    name: 'a signal that may come too late',
    about: 'a wait with a time limit beside a sleep, and a signal that comes before or after',
    tasks: { task: { code: [[timedSignal, sleep]], outcomes: [succeeds] } },
    rootTaskId: 'task',
    signals: ['soon'],
    executors: both('task'),
    misfortunes: { crashes: 1, stalls: 1, cancels: 1, lostReplies: 1 },
  },
  {
    ...usual,
    name: 'a child that code awaits',
    about: 'one child, awaited in place or left for, in runs that crash, stall and repeat what they wrote',
    tasks: { parent: { code: [[children('child')]], outcomes: [succeeds] }, child: plain },
    rootTaskId: 'parent',
    executors: both('parent', 'child'),
    isSettlingFromClaims: true,
    misfortunes: { crashes: 1, stalls: 1, lostReplies: 1 },
  },
  {
    ...usual,
    name: 'two children that code awaits',
    about: 'two children that end at once, one after the other, or badly, and any row is cancelled',
    tasks: { parent: { code: [[children('child', 'child')]], outcomes: [succeeds] }, child: plain },
    rootTaskId: 'parent',
    executors: both('parent', 'child'),
    isSweepingTogether: true,
    misfortunes: { crashes: 1, cancels: 1 },
  },
  {
    ...usual,
    name: 'a child and a signal at once',
    about: 'both are awaited together, and one of two executors does not know who awaits them',
    tasks: { parent: { code: [[signal, children('child')]], outcomes: [succeeds] }, child: plain },
    rootTaskId: 'parent',
    signals: ['go'],
    executors: [['parent', 'child'], ['child']],
    misfortunes: { crashes: 1, stalls: 1, cancels: 1 },
  },
  {
    ...usual,
    name: 'a child left behind',
    about: 'a parent starts a child, and ends in every way without awaiting it',
    tasks: {
      parent: { code: [[childLeftBehind]], outcomes: [succeeds, fails, timesOut] },
      child: plain,
    },
    rootTaskId: 'parent',
    executors: both('parent', 'child'),
    isSettlingFromClaims: true,
    misfortunes: { crashes: 1, stalls: 1, cancels: 1 },
  },
  {
    ...usual,
    name: 'awaited children and returned ones',
    about:
      'a parent awaits a child and leaves one behind, then returns another, and is sent a signal; rows are locked lean',
    tasks: {
      parent: {
        code: [[children('child')], [childLeftBehind]],
        outcomes: [fansOut('child'), fansOut()],
        finalizeTaskId: 'last',
      },
      child: good,
      last: good,
    },
    rootTaskId: 'parent',
    signals: ['go'],
    executors: both('parent', 'child', 'last'),
    isLockingLean: true,
    misfortunes: { crashes: 1, cancels: 1 },
  },
  {
    ...usual,
    name: "durable code on the contract's fields only",
    about: 'a storage that does not keep what rows wait for: whatever was run before is woken',
    tasks: { parent: { code: [[signal, children('child')]], outcomes: [succeeds] }, child: plain },
    rootTaskId: 'parent',
    signals: ['go'],
    executors: both('parent', 'child'),
    isKeepingFewFields: true,
    misfortunes: { stalls: 1, lostReplies: 1 },
  },
]
