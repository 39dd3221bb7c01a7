/** The faults that are planted in the sources can still be planted, and what the table says of them is what was found. */

import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { PLANTS } from '../../../../scripts/plants/faults.ts'
import { LAYERS, patched } from '../../../../scripts/plants/plant.ts'
import { blindness } from '../../../../scripts/plants/layers.ts'
import { type Findings, missesIn, withPlantTable } from '../../../../scripts/plants/table.ts'
import { PLANTED_FAULTS } from '../../src/testing/explore/faults.ts'

const ROOT = join(import.meta.dirname, '../../../..')
const SOURCES = join(ROOT, 'packages/durable-execution/src')
const findings = JSON.parse(readFileSync(join(ROOT, 'reliability/plants.json'), 'utf8')) as Findings
const AGAIN = 'run `npm run plants -- --write --new`'

describe('a fault can be planted in the sources', () => {
  test.for(PLANTS)('$name', (plant) => {
    for (const { file } of plant.patches) {
      const path = join(SOURCES, file)
      const source = readFileSync(path, 'utf8')
      const wrong = patched(plant, path, source) ?? ''
      expect(stripTypeScriptTypes(wrong)).not.toBe(stripTypeScriptTypes(source))
    }
  })
})

test('a fault that does not fit the sources any more is an error', () => {
  const plant = { name: 'gone', what: '', breaks: '', patches: [{ file: 'a.ts', from: 'old', to: 'new' }] }
  expect(() => patched(plant, '/durable-execution/src/a.ts', 'other')).toThrow('does not fit a.ts any more')
  expect(() => patched(plant, '/durable-execution/src/a.ts', 'old, old')).toThrow(
    'does not fit a.ts any more',
  )
  expect(patched(plant, '/durable-execution/src/a.ts', 'an old one')).toBe('an new one')
  expect(patched(plant, '/durable-execution/src/b.ts', 'an old one')).toBe(undefined)
})

test('there are thirty faults at least, each with a name of its own', () => {
  const names = PLANTS.map(({ name }) => name)
  expect(names.length).toBeGreaterThanOrEqual(30)
  expect(new Set(names).size).toBe(names.length)
})

test('what is said to be a fault of the explorer, too, is one', () => {
  const twins = PLANTS.flatMap(({ twin }) => twin ?? [])
  const names = new Set(PLANTED_FAULTS.map(({ name }) => name))
  expect(twins.filter((twin) => !names.has(twin))).toEqual([])
})

test('each fault was found, and by every layer that can see it', () => {
  expect(missesIn(PLANTS, findings), AGAIN).toEqual([])
  const unseen = PLANTS.filter((plant) => LAYERS.every((layer) => blindness(layer, plant) !== undefined))
  expect(unseen.map(({ name }) => name)).toEqual([])
})

test('the table in RELIABILITY.md says what was found', () => {
  const page = readFileSync(join(ROOT, 'RELIABILITY.md'), 'utf8')
  expect(page, AGAIN).toBe(withPlantTable(page, findings))
})
