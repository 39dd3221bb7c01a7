/** The SQLite storage with both drivers, under the conformance suite. */

import { describe, it } from 'vitest'

import { runStorageConformance } from '../../src/testing/conformance/storage-conformance.ts'
import { hideOptionalMembers } from '../../src/testing/hide-optional-members.ts'
import { betterSqlitePlace, FOUR_OPERATIONS, nodeSqlitePlace, wrapPlace } from './places.ts'

runStorageConformance({ name: 'SQLite by node:sqlite', describe, it, create: nodeSqlitePlace })

runStorageConformance({
  name: 'SQLite with its optional members hidden',
  describe,
  it,
  create: wrapPlace(nodeSqlitePlace, hideOptionalMembers),
  without: FOUR_OPERATIONS,
})

runStorageConformance({ name: 'SQLite by better-sqlite3', describe, it, create: betterSqlitePlace })
