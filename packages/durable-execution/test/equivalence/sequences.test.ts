/** Random sequences of commands leave on every storage of one process what they leave in memory, and answer the same. */

import { testEquivalence } from './test-equivalence.ts'
import { betterSqlite, fourOperations, hidden, memory, nodeSqlite, savedMemory } from './worlds.ts'

testEquivalence('memory that is saved and loaded after each transaction', savedMemory)
testEquivalence('memory with its optional members hidden', hidden(memory))
testEquivalence('the four-operation storage', fourOperations)
testEquivalence('SQLite by node:sqlite', nodeSqlite)
testEquivalence('SQLite by node:sqlite with its optional members hidden', hidden(nodeSqlite))
testEquivalence('SQLite by better-sqlite3', betterSqlite)
