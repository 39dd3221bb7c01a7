/** The cases of the contract that need two connections, as tests. */

import { it } from 'vitest'

import {
  type ConformancePlace,
  storageConformanceCases,
} from '../../src/testing/conformance/storage-conformance.ts'

/** Defines a test for each of them, in a place of its own. */
export function testTwoConnections(create: () => Promise<ConformancePlace>): void {
  const cases = storageConformanceCases().filter(({ needs = [] }) => needs.includes('two_connections'))
  it.each(cases.map((one) => [one.name, one] as const))('%s', async (_name, { run }) => {
    const place = await create()
    try {
      await run({ open: place.open })
    } finally {
      await place.cleanup()
    }
  })
}
