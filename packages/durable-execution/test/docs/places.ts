/** Where the documentation and the sources are. */

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

export const ROOT: string = join(import.meta.dirname, '../../../..')
export const PACKAGE: string = join(ROOT, 'packages/durable-execution')

/** A text and its path from the root of the repository. */
export type Text = { path: string; text: string }

/** The README and its neighbours, the one that is published, and the guides. */
export function documents(): Array<Text> {
  const isDocument = (name: string): boolean => name.endsWith('.md')
  const inRoot = readdirSync(ROOT).filter(isDocument)
  const guides = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).filter(isDocument)
  const published = relative(ROOT, join(PACKAGE, 'README.md'))
  return [...inRoot, published, ...guides.map((name) => join('docs', name))].map(read)
}

/** The sources of the package that are published. */
export function sources(): Array<Text> {
  const folder = join(PACKAGE, 'src')
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !/\.(?:test|test-support)\.ts$/.test(name))
    .toSorted()
    .map((name) => read(relative(ROOT, join(folder, name))))
}

/** Reads a file by its path from the root. */
export function read(path: string): Text {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') }
}
