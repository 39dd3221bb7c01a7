/** durable-execution over a SQLite file, by `node:sqlite`. */

import { join } from 'node:path'

import { createSqliteStorage } from 'durable-execution/sqlite'

import { countSqliteStatements } from './counting-sqlite.ts'
import { type Engine } from './engine.ts'
import { openOurs, OUR_SETTINGS, OUR_STEPS } from './ours.ts'

export const engine: Engine = {
  server: 'file',
  settings: `${OUR_SETTINGS}; WAL, synchronous FULL`,
  steps: OUR_STEPS,
  open: (folder, test) => {
    const countAsked = test === 'idle' ? countSqliteStatements() : undefined
    const storage = createSqliteStorage({ path: join(folder, 'tasks.db') })
    const session = openOurs(storage, async () => await storage.close())
    return Promise.resolve(countAsked === undefined ? session : { ...session, countAsked })
  },
}
