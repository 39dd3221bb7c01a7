/** What the package exports. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const PACKAGE = join(import.meta.dirname, '../packages/durable-execution')

const SCRIPT = /^\.\/dist\/(.+)\.js$/

/** What users import, `./sqlite` say, and its file below `src` and `dist`, without the ending: `storage/sqlite/index`. */
export type PackageEntry = { entry: string; name: string }

/** The entries of the package that are modules. */
export function packageEntries(): Array<PackageEntry> {
  const { exports } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { default: string }>
  }
  return Object.entries(exports).flatMap(([entry, target]) => {
    const name = typeof target === 'string' ? undefined : SCRIPT.exec(target.default)?.[1]
    return name === undefined ? [] : [{ entry, name }]
  })
}
