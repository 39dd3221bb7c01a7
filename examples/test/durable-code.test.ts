import { execFile } from 'node:child_process'
import { join } from 'node:path'

import { beforeAll, expect, test } from 'vitest'

import buildPackage from '../../scripts/build-for-tests.ts'

const MAIN = join(import.meta.dirname, '../src/all/main.ts')

// Ten to twenty seconds each on a machine that has time.
const LONGEST_MS = 600_000

beforeAll(() => {
  buildPackage()
})

test.for(['order', 'approval', 'nightly-import', 'agent'])(
  'its processes are killed at random moments and started again, and nothing is lost or done twice: %s',
  { timeout: LONGEST_MS },
  async (name) => {
    const { code, output } = await run(name)
    // The output names the seed, with which the same kills can be had again.
    expect(code, output).toBe(0)
    expect(output).toMatch(new RegExp(`^${name} +ok .* killed 4 times, .* seed \\d+$`, 'm'))
  },
)

test('an example that there is not is refused with a sentence and exit code 1', async () => {
  const { code, output } = await run('nothing')
  expect(code).toBe(1)
  expect(output).toContain('There is no example nothing; there are order, ')
})

test('a number of kills that is none is refused with a sentence and exit code 1', async () => {
  const { code, output } = await run('order', '--kills', 'many')
  expect(code).toBe(1)
  expect(output).toContain('--kills must be a whole number, 0 or more, got many')
})

async function run(...args: Array<string>): Promise<{ code: unknown; output: string }> {
  const flags = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning']
  return await new Promise((resolve) => {
    execFile(process.execPath, [...flags, MAIN, ...args], (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, output: `${stdout}${stderr}` })
    })
  })
}
