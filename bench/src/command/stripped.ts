/**
 * The files of the benchmark without their types, for the processes that measure: one that strips them itself
 * keeps the compiler for that in its memory, some 20 MB that are no engine's.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

export type Stripped = {
  /** What Node is to be told on the command line. */
  flags: Array<string>
  remove: () => void
}

const FOLDERS = ['src', 'peers']

export function stripOwnFiles(): Stripped {
  const bench = join(import.meta.dirname, '../..')
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(bench, folder), { recursive: folder === 'src', encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(bench, folder, name)),
  )
  const sources = files.map((file) => [
    pathToFileURL(file).href,
    stripTypeScriptTypes(readFileSync(file, 'utf8')),
  ])
  const folder = mkdtempSync(join(tmpdir(), 'durable-execution-bench-'))
  const preload = join(folder, 'preload.mjs')
  writeFileSync(preload, preloadText(sources))
  return {
    flags: ['--import', pathToFileURL(preload).href],
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function preloadText(sources: Array<Array<string>>): string {
  return `import { registerHooks } from 'node:module'
const sources = new Map(${JSON.stringify(sources)})
registerHooks({
  load: (url, context, next) => {
    const source = sources.get(url)
    return source === undefined ? next(url, context) : { format: 'module', source, shortCircuit: true }
  },
})
`
}
