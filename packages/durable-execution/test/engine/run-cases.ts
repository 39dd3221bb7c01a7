/** Runs cases of the engine suite over each storage, each case on a fresh one. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import Database from 'better-sqlite3'
import { createInMemoryStorage, type DurableStorage } from 'durable-execution'
import { createSqliteStorage } from 'durable-execution/sqlite'
import { describe, expect, test } from 'vitest'

import { type EngineConformanceCase } from '../../src/testing/conformance/engine/case.ts'
import { hideOptionalMembers } from '../../src/testing/hide-optional-members.ts'
import { createFourOperationStorage } from '../storages/four-operation-storage.ts'

type Opened = { storage: DurableStorage; close: () => Promise<void> }

type StorageKind = {
  name: string
  open: () => Opened
  /** Whether it keeps the oldest fields of a row alone. */
  isSeedFieldsOnly?: boolean
}

const nothingToClose = (storage: DurableStorage): Opened => ({ storage, close: () => Promise.resolve() })

/** The storages that every engine case runs over. */
const STORAGES: ReadonlyArray<StorageKind> = [
  { name: 'memory', open: () => nothingToClose(createInMemoryStorage()) },
  {
    name: 'memory, four operations',
    open: () => nothingToClose(hideOptionalMembers(createInMemoryStorage())),
  },
  {
    name: 'four operations and the oldest fields',
    open: () => nothingToClose(createFourOperationStorage()),
    isSeedFieldsOnly: true,
  },
  {
    name: 'node:sqlite',
    open: () => {
      const folder = newFolder()
      const storage = createSqliteStorage({ path: join(folder, 'executions.db') })
      return { storage, close: () => storage.close().finally(() => removeFolder(folder)) }
    },
  },
  {
    name: 'better-sqlite3',
    open: () => {
      const folder = newFolder()
      const database = new Database(join(folder, 'executions.db'))
      const storage = createSqliteStorage({ database })
      return {
        storage,
        close: async () => {
          await storage.close()
          database.close()
          removeFolder(folder)
        },
      }
    },
  },
]

// The storage of texts reads all of its rows at each call, which takes a while where there are many.
const LIMIT_MS = 90_000

const newFolder = (): string => mkdtempSync(join(tmpdir(), 'durable-execution-engine-'))
const removeFolder = (folder: string): void => rmSync(folder, { recursive: true })

/**
 * Runs the cases over every storage, and checks that each rule has a case and each case a rule.
 *
 * @param needsOptionalFields - Rules that are left out over the storage with the oldest fields alone,
 * each with the reason.
 */
export function runEngineCases(
  title: string,
  cases: ReadonlyArray<EngineConformanceCase>,
  rules: Readonly<Record<string, string>>,
  needsOptionalFields: Readonly<Record<string, string>> = {},
): void {
  test(`${title}: each rule has a case, each case a rule and a name of its own`, () => {
    expect(new Set(cases.map(({ rule }) => rule))).toEqual(new Set(Object.keys(rules)))
    expect(Object.keys(rules)).toEqual(expect.arrayContaining(Object.keys(needsOptionalFields)))
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length)
  })
  for (const kind of STORAGES) {
    describe(`${title} over ${kind.name}`, () => {
      for (const one of cases) {
        const reason = kind.isSeedFieldsOnly === true ? needsOptionalFields[one.rule] : undefined
        if (reason === undefined) {
          test(`${one.rule}: ${one.name}`, async () => await runOverFreshStorage(one, kind), LIMIT_MS)
        } else {
          test.skip(`${one.rule}: ${one.name} (left out: ${reason})`, () => {})
        }
      }
    })
  }
}

async function runOverFreshStorage(one: EngineConformanceCase, kind: StorageKind): Promise<void> {
  const opened: Array<Opened> = []
  try {
    await one.run({
      open: () => {
        const next = kind.open()
        opened.push(next)
        return Promise.resolve(next.storage)
      },
    })
  } finally {
    for (const { close } of opened) {
      await close()
    }
  }
}
