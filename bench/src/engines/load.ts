/** Finds the file of an engine by its name. */

import { type EngineName } from '../names.ts'
import { type Engine } from './engine.ts'

const FILES: Record<EngineName, () => Promise<{ engine: Engine }>> = {
  'ours:memory': () => import('./ours-memory.ts'),
  'ours:sqlite': () => import('./ours-sqlite.ts'),
  'ours:postgres': () => import('./ours-postgres.ts'),
  'graphile-worker': () => import('./graphile-worker.ts'),
  'pg-boss': () => import('./pg-boss.ts'),
  dbos: () => import('./dbos.ts'),
  openworkflow: () => import('./openworkflow.ts'),
  bullmq: () => import('./bullmq.ts'),
  absurd: () => import('./absurd.ts'),
}

/** The engine of that name. What it is made of is loaded only when it is opened. */
export async function loadEngine(name: EngineName): Promise<Engine> {
  const { engine } = await FILES[name]()
  return engine
}
