/** The log of long runs. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { appendRun } from '../../../../scripts/reliability/log.ts'

test('each run adds a line, with the commit that ran and the moment it was through', () => {
  const folder = mkdtempSync(join(tmpdir(), 'durable-execution-log-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'reliability/log.jsonl')
  const since = new Date().toISOString()
  const first = appendRun({ kind: 'soak', executions: 7 }, path)
  appendRun({ kind: 'chaos' }, path)
  const lines = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as typeof first)
  expect(lines.map(({ kind }) => kind)).toEqual(['soak', 'chaos'])
  expect(lines[0]).toEqual(first)
  expect(first.executions).toBe(7)
  expect(first.commit).toMatch(/^[0-9a-f]{40}$/)
  expect(typeof first.isDirty).toBe('boolean')
  expect(first.date >= since).toBe(true)
})
