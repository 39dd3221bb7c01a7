/** Defines the test of a storage against memory. */

import { sequence } from './commands.ts'
import { compareSequence } from './sequences.ts'
import { testWorld } from './test-world.ts'
import { type MakeWorld } from './worlds.ts'

const SEQUENCES = 500

/** Plays random sequences of commands on the storage and on memory. */
export function testEquivalence(name: string, make: MakeWorld): void {
  testWorld(name, make, {
    title: 'answers and keeps what memory does',
    given: sequence,
    check: compareSequence,
    runs: SEQUENCES,
  })
}
