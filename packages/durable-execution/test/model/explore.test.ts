/** Every world that the small scenarios lead to keeps the promises, and all of it comes to its end. */

import { describe, expect, test } from 'vitest'

import { describeFailure, explore, type Exploration } from '../../src/testing/explore/explore.ts'
import { allKinds } from '../../src/testing/explore/kinds.ts'
import { SCENARIOS } from '../../src/testing/explore/scenarios.ts'

/** Kinds that the table allows and no engine can take, each with its reason. */
const NEVER_TAKEN: ReadonlyArray<{ kinds: RegExp; because: string }> = [
  {
    kinds: /^failed (child|finalize)_(completed|failed) /,
    because: 'this end comes from running, and a row that was only ever run has nothing below it',
  },
  {
    kinds: /^timed_out finalize_(completed|failed) /,
    because: 'what waits for its finalize execution times out when that one is closed, and is told once',
  },
  {
    kinds: /^completed (child|finalize)_(completed|failed) /,
    because: 'a row is completed only when all below it is closed, and each is told of once, at its closing',
  },
  {
    kinds: /^finalize_task_failed (child|finalize)_(completed|failed) /,
    because: 'its finalize execution told it when it was closed, and all children were closed before that',
  },
  {
    kinds: /^children_tasks_failed finalize_(completed|failed) /,
    because: 'there is no finalize execution before all children are completed',
  },
  {
    kinds: /^(waiting_for_\w+|children_tasks_failed|finalize_task_failed) awaited_ended /,
    because: 'a run returns children only once all that its code has started are closed',
  },
]

const seen: Array<Exploration> = []

describe('every world keeps every promise, and can come to its end', () => {
  test.for(SCENARIOS)('$name', { timeout: 240_000 }, (scenario) => {
    const exploration = explore(scenario)
    seen.push(exploration)
    expect(exploration.failure === null ? '' : describeFailure(exploration.failure)).toBe('')
  })
})

test('every kind of transition is taken somewhere, but for those that cannot be', () => {
  const taken = new Set(seen.flatMap((exploration) => [...exploration.kinds.keys()]))
  const never = allKinds().filter((kind) => !taken.has(kind))
  const unexplained = never.filter((kind) => !NEVER_TAKEN.some(({ kinds }) => kinds.test(kind)))
  expect(unexplained).toEqual([])
})

test('what is said never to be taken is not taken', () => {
  const taken = seen.flatMap((exploration) => [...exploration.kinds.keys()])
  expect(taken.filter((kind) => NEVER_TAKEN.some(({ kinds }) => kinds.test(kind)))).toEqual([])
})

test('the small worlds are not so small that they prove nothing', () => {
  expect(seen.reduce((sum, { worlds }) => sum + worlds, 0)).toBeGreaterThan(1_000_000)
})
