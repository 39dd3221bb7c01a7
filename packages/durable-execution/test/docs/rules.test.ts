import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { rulesPage } from '../../../../scripts/rules-page.ts'

test('docs/rules.md names, for every rule, the tests that show it', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/rules.md'), 'utf8')
  expect(page, 'make it anew with: node scripts/rules.ts').toBe(rulesPage())
})
