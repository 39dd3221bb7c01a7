/** The Postgres storage under the conformance suite, with its optional members shown and hidden. */

import { beforeAll, describe, it } from 'vitest'

import { runStorageConformance } from '../../src/testing/conformance/storage-conformance.ts'
import { hideOptionalMembers } from '../../src/testing/hide-optional-members.ts'
import { FOUR_OPERATIONS, wrapPlace } from '../storages/places.ts'
import { postgresPlace } from './places.ts'
import { freshDatabase } from './server.ts'

let connectionString: string

beforeAll(async () => {
  connectionString = await freshDatabase()
}, 60_000)

const create = postgresPlace(() => ({ connectionString, maxConnections: 6 }))

runStorageConformance({ name: 'Postgres', describe, it, create })

runStorageConformance({
  name: 'Postgres with its optional members hidden',
  describe,
  it,
  create: wrapPlace(create, hideOptionalMembers),
  without: FOUR_OPERATIONS,
})
