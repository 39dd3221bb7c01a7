/** Writes docs/rules.md: `node scripts/rules.ts`. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { rulesPage } from './rules-page.ts'

const path = join(import.meta.dirname, '../docs/rules.md')
writeFileSync(path, rulesPage())
console.log(`Wrote ${path}`)
