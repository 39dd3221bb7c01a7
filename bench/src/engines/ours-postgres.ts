/** durable-execution over Postgres. */

import { createPostgresStorage } from 'durable-execution/postgres'

import { countPgStatements } from './counting-pg.ts'
import { type Engine } from './engine.ts'
import { openOurs, OUR_SETTINGS, OUR_STEPS } from './ours.ts'

export const engine: Engine = {
  server: 'postgres',
  settings: `${OUR_SETTINGS}; all defaults of the storage: hints on, 10 connections at most`,
  steps: OUR_STEPS,
  open: (connectionString, test) => {
    const countAsked = test === 'idle' ? countPgStatements() : undefined
    const storage = createPostgresStorage({ connectionString })
    const session = openOurs(storage, async () => await storage.close())
    return Promise.resolve(countAsked === undefined ? session : { ...session, countAsked })
  },
}
