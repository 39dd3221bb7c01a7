import { spawn } from 'node:child_process'
import { join } from 'node:path'

import { beforeAll, expect, test } from 'vitest'

import buildPackage from '../../scripts/build-for-tests.ts'

const MAIN = join(import.meta.dirname, '../src/many-machines/main.ts')
const LETTERS = 150

beforeAll(() => {
  buildPackage()
})

test('a worker is killed in the middle, the others take over, and no letter is lost', async () => {
  const { code, stdout } = await run('--letters', String(LETTERS), '--pace', '200', '--json')
  expect(code).toBe(0)
  const result = JSON.parse(stdout) as Record<string, number | string> & { sentBy: Record<string, number> }
  expect(result).toMatchObject({ letters: LETTERS, lost: 0, killed: 'worker-2' })
  expect(result['sentBeforeKill'], 'it was killed in the middle').toBeLessThan(LETTERS)
  expect(result['takenOver']).toBeGreaterThan(0)
  expect(result['startedTwice']).toBeGreaterThanOrEqual(Number(result['takenOver']))
  const sent = Object.values(result.sentBy).reduce((sum, count) => sum + count, 0)
  expect(sent, 'each letter has one outcome').toBe(LETTERS)
})

test('a number of letters that is none is refused with a sentence and exit code 1', async () => {
  const { code, stderr } = await run('--letters', 'many')
  expect(code).toBe(1)
  expect(stderr).toContain('--letters must be a whole number, 1 or more, got many')
})

async function run(...options: Array<string>): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const flags = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning']
  const child = spawn(process.execPath, [...flags, MAIN, ...options])
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      said[stream] += text
    })
  }
  const code = await new Promise((resolve) => {
    child.once('close', resolve)
  })
  return { code, ...said }
}
