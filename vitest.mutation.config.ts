/** The tests that count for the mutation score, `npm run mutation`: those beside the rules, the same each time. */

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['packages/durable-execution/src/machine/*.test.ts'],
    // A mutant that lives should live in the next run too, so what is drawn is drawn from one seed.
    setupFiles: ['packages/durable-execution/src/machine/one-seed.test-support.ts'],
    // A worker for each of two thousand mutants, not for each mutant and file. No test here leaves anything behind.
    isolate: false,
    maxWorkers: 1,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  },
})
