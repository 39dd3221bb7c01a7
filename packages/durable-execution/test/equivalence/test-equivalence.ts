/** Defines the test of a storage against memory. */

import * as fc from 'fast-check'
import { afterAll, beforeAll, describe } from 'vitest'

import { sequence } from './commands.ts'
import { testProperty } from './runs.ts'
import { compareSequence, type World } from './sequences.ts'
import { type MakeWorld } from './worlds.ts'

const SEQUENCES = 500

/** Plays random sequences of commands on the storage and on memory. */
export function testEquivalence(name: string, make: MakeWorld): void {
  describe(name, () => {
    let world: World

    beforeAll(async () => {
      world = await make()
    })

    afterAll(async () => {
      await world.close()
    })

    testProperty(
      'answers and keeps what memory does',
      fc.asyncProperty(sequence, async (transactions) => {
        await compareSequence(world, transactions)
      }),
      SEQUENCES,
    )
  })
}
