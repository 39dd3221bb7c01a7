/** One theme of the engine suite over every storage. */

import { describe, expect, it, test } from 'vitest'

import { ENGINE_THEMES } from '../../src/testing/conformance/engine/engine-conformance.ts'
import { runEngineConformance } from '../../src/testing/conformance/engine/run-engine-conformance.ts'
import { hideOptionalMembers } from '../../src/testing/hide-optional-members.ts'
import {
  betterSqlitePlace,
  fourOperationPlace,
  memoryPlace,
  nodeSqlitePlace,
  wrapPlace,
} from '../storages/places.ts'

const PLACES = [
  { name: 'memory', create: memoryPlace },
  { name: 'memory with its optional members hidden', create: wrapPlace(memoryPlace, hideOptionalMembers) },
  {
    name: 'the four-operation storage',
    create: fourOperationPlace,
    withoutOptionalFields: 'it keeps only the fields of the contract',
  },
  { name: 'SQLite by node:sqlite', create: nodeSqlitePlace },
  {
    name: 'SQLite with its optional members hidden',
    create: wrapPlace(nodeSqlitePlace, hideOptionalMembers),
  },
  { name: 'SQLite by better-sqlite3', create: betterSqlitePlace },
]

export function runThemeEverywhere(title: string): void {
  test('each rule has a case, and each case a rule and a name of its own', () => {
    const theme = ENGINE_THEMES.find((one) => one.title === title)
    const rules = Object.keys(theme?.rules ?? {})
    expect(new Set(theme?.cases.map(({ rule }) => rule))).toEqual(new Set(rules))
    expect(rules).toEqual(expect.arrayContaining(Object.keys(theme?.needsOptionalFields ?? {})))
    const names = ENGINE_THEMES.flatMap(({ cases }) => cases.map(({ name }) => name))
    expect(new Set(names).size).toBe(names.length)
  })
  for (const place of PLACES) {
    runEngineConformance({ ...place, describe, it, themes: [title] })
  }
}
