/** Links of the documentation lead somewhere, and the commands it shows exist. */

import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

import { anchorsOf, fencesOf, relativeLinksOf } from './markdown.ts'
import { documents, ROOT, type Text } from './places.ts'

const SHELLS = new Set(['sh', 'bash', 'shell', 'console'])

test.for(documents())('every relative link leads to a file and a heading that exist: $path', (document) => {
  expect(brokenLinksOf(document)).toEqual([])
})

test('a document of the guides is in their index', () => {
  const index = documents().find(({ path }) => path === join('docs', 'README.md'))
  const linked = relativeLinksOf(index?.text ?? '').map(({ target }) => join('docs', target))
  const guides = documents().filter(({ path }) => path.startsWith('docs') && path !== index?.path)
  expect(guides.map(({ path }) => path).filter((path) => !linked.includes(path))).toEqual([])
})

test.for(documents())('the npm commands shown exist as scripts: $path', ({ text }) => {
  const scripts = Object.keys(
    (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object }).scripts,
  )
  const shown = fencesOf(text)
    .filter(({ language }) => SHELLS.has(language))
    .flatMap(({ code }) => [...code.matchAll(/\bnpm (?:run (?:-\S+ )*([\w:-]+)|(test)\b)/g)])
    .map(([, script, plain]) => script ?? plain)
  expect(shown.filter((script) => script === undefined || !scripts.includes(script))).toEqual([])
})

function brokenLinksOf({ path, text }: Text): Array<string> {
  const broken: Array<string> = []
  for (const { target, line } of relativeLinksOf(text)) {
    const [file = '', anchor] = target.split('#')
    const full = file === '' ? join(ROOT, path) : join(ROOT, dirname(path), decodeURIComponent(file))
    if (!existsSync(full)) {
      broken.push(`${path}:${line}: ${target} (no such file)`)
    } else if (anchor !== undefined && !hasAnchor(full, anchor)) {
      broken.push(`${path}:${line}: ${target} (no such heading)`)
    }
  }
  return broken
}

function hasAnchor(full: string, anchor: string): boolean {
  return statSync(full).isFile() && full.endsWith('.md') && anchorsOf(readFileSync(full, 'utf8')).has(anchor)
}
