import { execFile } from 'node:child_process'
import { join } from 'node:path'

import { beforeAll, expect, test } from 'vitest'

import buildPackage from '../../scripts/build-for-tests.ts'

const MAIN = join(import.meta.dirname, '../src/idempotency-bug/main.ts')

beforeAll(() => {
  buildPackage()
})

test('a card that is charged twice after a crash is found, and with a key it is charged once', async () => {
  const { code, stdout } = await run()
  expect(code).toBe(0)
  const [found = '', mended = ''] = stdout.split('With ctx.executionId as the key:')
  expect(found).toContain(
    'The process died after effect 1, "charged"; another took over, and the effects differed.',
  )
  expect(found).toContain("without a crash: charged { amount: 30, card: '…4242' }\n")
  expect(found).toContain("with the crash:  charged { amount: 30, card: '…4242' } (2 times)\n")
  expect(found).toContain("give the option: only: 'effect:1:after'")
  const places = Number(/The process died at (\d+) places/.exec(mended)?.[1])
  expect(places).toBeGreaterThan(5)
  expect(mended).toContain('Each time it came to the same: completed; charged, receipt.')
})

async function run(): Promise<{ code: unknown; stdout: string }> {
  const flags = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning']
  return await new Promise((resolve) => {
    execFile(process.execPath, [...flags, MAIN], (error, stdout) => {
      resolve({ code: error?.code ?? 0, stdout })
    })
  })
}
