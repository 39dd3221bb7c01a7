/** Builds the package, for tests that start other processes with what users install. */

import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '..')

export default function buildPackage(): void {
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
  execFileSync(
    process.execPath,
    [join(typescript, 'bin/tsc'), '-b', join(root, 'packages/durable-execution')],
    { cwd: root, stdio: 'inherit' },
  )
}
