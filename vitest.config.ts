import { fileURLToPath } from 'node:url'

import { defineConfig } from 'vitest/config'

const source = (path: string): string =>
  fileURLToPath(new URL(`./packages/durable-execution/src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    // Tests run on the sources; what users install is built and tried by `npm run check:package`.
    alias: [
      { find: /^durable-execution$/, replacement: source('index.ts') },
      { find: /^durable-execution\/postgres$/, replacement: source('storage/postgres/index.ts') },
      { find: /^durable-execution\/sqlite$/, replacement: source('storage/sqlite/index.ts') },
      { find: /^durable-execution\/superjson$/, replacement: source('superjson.ts') },
      { find: /^durable-execution\/testing$/, replacement: source('testing/index.ts') },
    ],
  },
  test: {
    // Starts one Postgres for all test files that ask for it, and stops it in the end.
    globalSetup: ['scripts/postgres/vitest-setup.ts'],
    include: ['packages/*/{src,test}/**/*.test.ts', 'examples/test/**/*.test.ts', 'bench/test/**/*.test.ts'],
    testTimeout: 90_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    // Measured on demand (`npm run coverage`), of the engine and the storages: what only helps to test them does not count.
    coverage: {
      provider: 'v8',
      include: ['packages/durable-execution/src/**/*.ts'],
      exclude: ['packages/durable-execution/src/testing/**', '**/*.test-support.ts', '**/*.test.ts'],
      reporter: ['text', 'json-summary'],
      thresholds: { branches: 95 },
    },
  },
})
