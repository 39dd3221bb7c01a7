/** Holds the shape of the code: who may import whom, where time and chance come in, how long a file may be. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')
const SRC = join(import.meta.dirname, '../src')

type Source = { path: string; text: string; lines: number }

const sources: Array<Source> = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts') && !path.includes('.test'))
  .map((path) => {
    const text = readFileSync(join(SRC, path), 'utf8')
    return { path, text, lines: text.split('\n').length - 1 }
  })

/** For each folder or file what it may import; the longest prefix of a path counts. */
const MAY_IMPORT: Record<string, Array<string>> = {
  'base/': ['base/'],
  'machine/': ['base/limits', 'base/assert', 'base/errors', 'base/clock', 'machine/'],
  'task/': ['base/', 'machine/', 'task/'],
  'storage/contract': ['base/', 'machine/execution'],
  'storage/contract-with-limit': ['base/', 'machine/execution', 'storage/contract'],
  'storage/mutex': ['base/'],
  'storage/memory/': ['base/', 'machine/execution', 'storage/contract', 'storage/mutex', 'storage/memory/'],
  'storage/sql/': ['base/', 'machine/execution', 'storage/contract', 'storage/sql/'],
  'storage/sqlite/': [
    'base/',
    'machine/execution',
    'storage/contract',
    'storage/mutex',
    'storage/sql/',
    'storage/sqlite/',
  ],
  'storage/postgres/': [
    'base/',
    'machine/execution',
    'storage/contract',
    'storage/mutex',
    'storage/sql/',
    'storage/postgres/',
  ],
  'store/': ['base/', 'machine/', 'storage/contract', 'store/'],
  'client/': ['base/', 'machine/', 'storage/contract', 'store/', 'task/', 'client/'],
  'executor/': ['base/', 'machine/', 'storage/contract', 'store/', 'task/', 'client/', 'executor/'],
  'testing/': [''],
  index: [''],
  superjson: ['base/'],
}

/** What may stand only in the doors, and what to use instead. */
const DOORS_ONLY: Array<{ pattern: RegExp; instead: string }> = [
  { pattern: /\bDate\.now\(/, instead: 'clock.now() of base/clock' },
  { pattern: /\bperformance\.now\(/, instead: 'clock.monotonicNow() of base/clock' },
  { pattern: /\bMath\.random\(/, instead: 'random() of base/random' },
  { pattern: /\bsetTimeout\(/, instead: 'clock.setTimer() of base/clock' },
  { pattern: /\bsetInterval\(/, instead: 'clock.setTimer() of base/clock' },
  { pattern: /\bnew Date\(\)/, instead: 'clock.now() of base/clock' },
  { pattern: /node:crypto|\bcrypto\./, instead: 'base/ids' },
]

test('imports point down', () => {
  const wrong: Array<string> = []
  for (const { path, text } of sources) {
    const allowed = allowedFor(path)
    for (const [, specifier] of text.matchAll(/from '(\.[^']+)'/g)) {
      const target = relative(SRC, join(SRC, dirname(path), specifier ?? '')).replaceAll('\\', '/')
      if (!allowed.some((prefix) => target.startsWith(prefix))) {
        wrong.push(`${path} imports ${target}; it may import ${allowed.join(', ')}`)
      }
    }
  }
  expect(wrong).toEqual([])
})

test('time, chance and names come in by the doors of base/', () => {
  const wrong: Array<string> = []
  for (const { path, text } of sources.filter((source) => !source.path.startsWith('base/'))) {
    for (const { pattern, instead } of DOORS_ONLY) {
      if (pattern.test(withoutComments(text))) {
        wrong.push(`${path} has ${String(pattern)}; use ${instead}`)
      }
    }
  }
  expect(wrong).toEqual([])
})

test('the machine is pure: no waiting, no modules of Node, no logger', () => {
  const impure = /\basync\b|\bawait\b|\bPromise\b|node:|\bconsole\b|logger/
  const wrong = sources
    .filter(({ path, text }) => path.startsWith('machine/') && impure.test(withoutComments(text)))
    .map(({ path }) => path)
  expect(wrong).toEqual([])
})

test('only the machine makes or changes a status', () => {
  const writes = /\bstatus: '(?!.*\?)/
  const wrong = sources
    // A claim is offered by storages as one step of their own; the suite compares it with the machine's.
    .filter(({ path }) => path !== 'storage/memory/memory-transaction.ts')
    .filter(({ path }) => !/^(?:machine|testing|client)\//.test(path))
    .filter(({ text }) => writes.test(withoutComments(text)))
    .map(({ path }) => path)
  expect(wrong, 'decide it in machine/ and write what it answers').toEqual([])
})

test('no file passes 300 lines, and the median stays under 150', () => {
  const long = sources.filter(({ lines }) => lines > LINES_MAX).map(({ path, lines }) => `${path}: ${lines}`)
  expect(long).toEqual([])
  const sorted = sources.map(({ lines }) => lines).toSorted((a, b) => a - b)
  expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThan(150)
})

test('every file begins with a sentence on what it is', () => {
  const silent = sources.filter(({ text }) => !text.startsWith('/**')).map(({ path }) => path)
  expect(silent).toEqual([])
})

test('the public API is listed name by name', () => {
  const stars = sources.filter(({ text }) => /export \*/.test(text)).map(({ path }) => path)
  expect(stars).toEqual([])
})

test('no code imports a name that would pass for two things', () => {
  const vague = sources
    .filter(({ path }) => /(?:^|\/)[^/]*(?:util|helper|manager|misc|common)[^/]*\.ts$/i.test(path))
    .map(({ path }) => path)
  expect(vague, 'name the file by its one idea').toEqual([])
})

test('the files, scripts and invariants that ARCHITECTURE.md names exist', () => {
  const page = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8')
  const paths = [...page.matchAll(/`((?:packages|docs|scripts|bench|examples|src)\/[\w./*-]+)`/g)].map(
    ([, path]) => (path ?? '').replace(/^src\//, 'packages/durable-execution/src/'),
  )
  expect(paths.length).toBeGreaterThan(10)
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  const invariants = sources.find(({ path }) => path === 'machine/invariants.ts')?.text ?? ''
  const named = [...page.matchAll(/^\| (S\d+)\s*\|[^|]+\| invariant/gm)].map(([, id]) => id ?? '')
  expect(named.length).toBeGreaterThan(8)
  expect(named.filter((id) => !invariants.includes(`'${id}'`))).toEqual([])
})

const LINES_MAX = 300

function allowedFor(path: string): Array<string> {
  const rules = Object.entries(MAY_IMPORT).filter(([prefix]) => path.startsWith(prefix))
  const [, allowed] = rules.toSorted(([a], [b]) => b.length - a.length)[0] ?? []
  expect(allowed, `${path} has a place in the map of imports`).toBeDefined()
  return allowed ?? []
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
}
