/** The tests behind a transaction-mode pooler, which must be installed: `npm run test:pooler`. */

import { defineConfig } from 'vitest/config'

import { POOLER_PROJECT } from './scripts/postgres/vitest-setup.ts'
import base from './vitest.config.ts'

export default defineConfig({
  ...base,
  test: { ...base.test, name: POOLER_PROJECT, include: ['packages/*/test/pooler/**/*.pooler.ts'] },
})
