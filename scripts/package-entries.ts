/** The files that the package exports. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const PACKAGE = join(import.meta.dirname, '../packages/durable-execution')

const SCRIPT = /^\.\/dist\/(.+)\.js$/

/** The scripts among them, below `dist` and `src` and without their ending: `storage/sqlite/index`, say. */
export function packageEntries(): Array<string> {
  const { exports } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { default: string }>
  }
  return Object.values(exports).flatMap((target) => {
    const name = typeof target === 'string' ? undefined : SCRIPT.exec(target.default)?.[1]
    return name === undefined ? [] : [name]
  })
}
