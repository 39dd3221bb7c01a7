/** The SQLite storage with both drivers, under the conformance suite. */

import { describe, it } from 'vitest'

import { runStorageConformance } from '../../src/testing/conformance/storage-conformance.ts'
import { hideOptionalMembers } from '../../src/testing/hide-optional-members.ts'
import { betterSqlitePlace, FOUR_OPERATIONS, nodeSqlitePlace, wrapPlace } from './places.ts'

const drivers = [
  { name: 'SQLite by node:sqlite', create: nodeSqlitePlace },
  { name: 'SQLite by better-sqlite3', create: betterSqlitePlace },
]

for (const { name, create } of drivers) {
  runStorageConformance({ name, describe, it, create })
  runStorageConformance({
    name: `${name} with its optional members hidden`,
    describe,
    it,
    create: wrapPlace(create, hideOptionalMembers),
    without: FOUR_OPERATIONS,
  })
}
