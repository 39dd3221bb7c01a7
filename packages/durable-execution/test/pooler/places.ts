/** A server, and a pooler in front of it, for a test file. */

import { afterAll } from 'vitest'

import { type Pooler, startPooler } from '../../../../scripts/postgres/pooler.ts'
import { freshDatabase } from '../postgres/server.ts'

const poolers: Array<Pooler> = []

afterAll(async () => {
  await Promise.all(poolers.splice(0).map((pooler) => pooler.stop()))
}, 60_000)

export type PooledDatabase = { direct: string; pooled: string; pooler: Pooler }

/** An empty database, reached directly and by a pooler of this file's own. */
export async function pooledDatabase(settings: Record<string, string> = {}): Promise<PooledDatabase> {
  const direct = await freshDatabase()
  const pooler = await startPooler(direct, settings)
  poolers.push(pooler)
  return { direct, pooled: pooler.through(direct), pooler }
}
