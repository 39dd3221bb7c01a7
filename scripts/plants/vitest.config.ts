/** How tests are run over an engine with a fault in it: the one that the variable PLANT names; without it the sound one. */

import { join } from 'node:path'

import { defineConfig } from 'vitest/config'

import sound from '../../vitest.config.ts'
import { plantNamed } from './faults.ts'
import { patched } from './plant.ts'

const name = process.env['PLANT']
const chosen = name === undefined ? undefined : plantNamed(name)

export default defineConfig({
  ...sound,
  root: join(import.meta.dirname, '../..'),
  plugins: [
    {
      name: 'planted fault',
      enforce: 'pre',
      transform: (code, id) => (chosen === undefined ? undefined : patched(chosen, id, code)),
    },
  ],
  test: {
    ...sound.test,
    // None of these tests needs a server.
    globalSetup: [],
    // One after the other, so that the first to fail is the same one each time.
    maxWorkers: 1,
    fileParallelism: false,
    bail: 1,
    // What one fault made of the sources must not be taken for another's.
    fsModuleCache: false,
    testTimeout: 30_000,
  },
})
