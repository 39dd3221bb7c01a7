/** Packs the package as it would be published and looks at it as its users will: publint, attw, and an install. */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { packageEntries } from './package-entries.ts'

const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'durable-execution-pack-'))

const run = (command: string, args: Array<string>, cwd = root): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

try {
  const packed = run('npm', [
    'pack',
    '--silent',
    '--pack-destination',
    folder,
    '--workspace',
    'durable-execution',
  ])
  const tarball = join(folder, packed.trim().split('\n').at(-1) ?? '')
  assertBundled(run('tar', ['-tf', tarball]))
  run('publint', ['run', tarball, '--strict'])
  // ESM only, on purpose: every supported Node can require() it.
  run('attw', [tarball, '--profile', 'esm-only', '--no-emoji'])
  tryInstalled(tarball)
  console.log('The packed package is fine.')
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** Hundreds of modules would cost every import of the package: only its entries and what they share may be there. */
function assertBundled(names: string): void {
  const scripts = names.split('\n').filter((name) => name.endsWith('.js'))
  const entries = new Set(packageEntries().map(({ name }) => `package/dist/${name}.js`))
  const others = scripts.filter((name) => !entries.has(name) && !name.startsWith('package/dist/shared/'))
  if (scripts.length < entries.size || others.length > 0) {
    throw new Error(
      `The package is not bundled: of its ${scripts.length} modules ${others.length} are no entries`,
    )
  }
}

/** Installs the tarball into an empty project and runs a task with it, by import and by require. */
function tryInstalled(tarball: string): void {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'user', private: true }))
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', tarball], folder)
  writeFileSync(
    join(folder, 'user.mjs'),
    `
      import { createInMemoryStorage, DurableExecutor } from 'durable-execution'
      import { createSqliteStorage } from 'durable-execution/sqlite'
      import { createTestClock } from 'durable-execution/testing'
      createTestClock()
      for (const storage of [createInMemoryStorage(), createSqliteStorage({ path: 'user.db' })]) {
        const executor = new DurableExecutor(storage)
        const double = executor.task({ id: 'double', timeoutMs: 1000, run: (_ctx, n) => n * 2 })
        await executor.start()
        const handle = await executor.enqueueTask(double, 21)
        const execution = await handle.waitAndGetTaskFinishedExecution()
        if (execution.output !== 42) throw new Error('expected 42')
        await executor.shutdown()
        await storage.close()
      }
    `,
  )
  writeFileSync(
    join(folder, 'user.cjs'),
    `const { DurableExecutor } = require('durable-execution')
     if (typeof DurableExecutor !== 'function') throw new Error('require() of the package failed')`,
  )
  run(process.execPath, ['--disable-warning=ExperimentalWarning', 'user.mjs'], folder)
  run(process.execPath, ['user.cjs'], folder)
}
