/** Counts the statements that `pg` sends from this process, on whatever connection: pooled, or listening. */

import { Client } from 'pg'

import { type Asked } from './engine.ts'

/** Begins to count. What the benchmark asks by itself is counted too, so it asks nothing meanwhile. */
export function countPgStatements(): () => Asked {
  let statements = 0
  const prototype = Client.prototype as { query: (...args: Array<unknown>) => unknown }
  const { query } = prototype
  prototype.query = function counted(...args) {
    statements += 1
    return Reflect.apply(query, this, args)
  }
  return () => ({ statements })
}
