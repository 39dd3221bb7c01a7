/** Defines the test of a property of something that is opened once, before all of its runs, and closed after them. */

import * as fc from 'fast-check'
import { afterAll, beforeAll, describe } from 'vitest'

import { testProperty } from './runs.ts'

type Closable = { close: () => Promise<void> | void }

/** What holds of it, for whatever is given; `runs` is how often that is drawn. */
export type Law<W, T> = {
  title: string
  given: fc.Arbitrary<T>
  check: (world: W, given: T) => Promise<void>
  runs: number
}

/** Tests the law. */
export function testWorld<W extends Closable, T>(
  name: string,
  make: () => Promise<W>,
  { title, given, check, runs }: Law<W, T>,
): void {
  describe(name, () => {
    let world: W

    beforeAll(async () => {
      world = await make()
    })

    afterAll(async () => {
      await world.close()
    })

    testProperty(
      title,
      fc.asyncProperty(given, async (drawn) => {
        await check(world, drawn)
      }),
      runs,
    )
  })
}
