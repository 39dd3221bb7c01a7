/** The storages in memory, under the conformance suite. */

import { describe, it } from 'vitest'

import { runStorageConformance } from '../../src/testing/conformance/storage-conformance.ts'
import { hideOptionalMembers } from '../../src/testing/hide-optional-members.ts'
import { FOUR_OPERATIONS, fourOperationPlace, memoryPlace, NOTHING_TO_SHARE, wrapPlace } from './places.ts'

runStorageConformance({ name: 'memory', describe, it, create: memoryPlace, without: NOTHING_TO_SHARE })

runStorageConformance({
  name: 'memory with its optional members hidden',
  describe,
  it,
  create: wrapPlace(memoryPlace, hideOptionalMembers),
  without: FOUR_OPERATIONS,
})

runStorageConformance({
  name: 'the four-operation storage',
  describe,
  it,
  create: fourOperationPlace,
  without: FOUR_OPERATIONS,
})
