import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { type DurableTaskExecutionStorageObject } from 'durable-execution'
import { createSqliteStorage } from 'durable-execution/sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'

import buildPackage from '../../scripts/build-for-tests.ts'

const MAIN = join(import.meta.dirname, '../src/index-folder/main.ts')
const FILES = 120
const FLAGS = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning']

let folder: string

beforeAll(async () => {
  buildPackage()
  folder = await mkdtemp(join(tmpdir(), 'index-folder-'))
  await mkdir(join(folder, 'input/deep'), { recursive: true })
  for (let index = 0; index < FILES; index += 1) {
    const path = index % 2 === 0 ? `input/file${index}.md` : `input/deep/file${index}.txt`
    const text = `# Title ${index}\n\n${'word '.repeat(index)}\nSee https://example.org/${index}.\n`
    await writeFile(join(folder, path), text)
  }
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

test('a run that is killed with kill -9 and started again keeps what was done and ends in the same report', async () => {
  const whole = await start('whole', 0).result
  expect(whole).toMatchObject({ files: FILES, kept: 0, isContinued: false })

  const doomed = start('killed', 60)
  await waitForCompleted('killed', 20)
  doomed.child.kill('SIGKILL')
  await doomed.ended
  const before = completed(await readRows('killed'))
  expect(before.size).toBeGreaterThanOrEqual(20)
  expect(before.size).toBeLessThan(FILES)

  const second = await start('killed', 0).result
  expect(second).toMatchObject({ files: FILES, kept: before.size, isContinued: true })
  const after = completed(await readRows('killed'))
  for (const [executionId, row] of before) {
    expect(after.get(executionId), 'a finished file is not done again').toEqual(row)
  }
  const reports = await Promise.all(['whole', 'killed'].map((out) => readReport(out)))
  expect(reports[1]).toBe(reports[0])
})

test('a folder that does not exist is refused with a sentence and exit code 1', async () => {
  const { code, stderr } = await refused(join(folder, 'nowhere'), 'refused')
  expect(code).toBe(1)
  expect(stderr).toContain('nowhere is no folder')
})

test('a folder without text files ends the process, with a sentence and exit code 1', async () => {
  await mkdir(join(folder, 'empty'))
  const { code, stderr } = await refused(join(folder, 'empty'), 'nothing')
  expect(code).toBe(1)
  expect(stderr).toContain('there are no text files')
})

test('unfinished work on one folder is not mixed with another folder', async () => {
  const doomed = start('mixed', 60)
  await waitForCompleted('mixed', 1)
  doomed.child.kill('SIGKILL')
  await doomed.ended
  const { code, stderr } = await refused(join(folder, 'input/deep'), 'mixed')
  expect(code).toBe(1)
  expect(stderr).toContain('holds unfinished work on')
})

test('files that are no text or too large are left out, and --fresh forgets only what the demo made', async () => {
  await mkdir(join(folder, 'strange'))
  await writeFile(join(folder, 'strange/good.md'), '# Good\n')
  await writeFile(join(folder, 'strange/binary.md'), Buffer.from([0, 1, 2]))
  await writeFile(join(folder, 'strange/large.txt'), Buffer.alloc(17 * 1024 * 1024, 'a'))
  const result = await start('strange', 0, ['--fresh'], 'strange').result
  expect(result).toMatchObject({ files: 3 })
  const report = JSON.parse(await readFile(join(folder, 'strange/report.json'), 'utf8')) as object
  expect(report).toMatchObject({
    files: 1,
    skipped: [
      { path: 'binary.md', skippedBecause: 'not text' },
      { path: 'large.txt', skippedBecause: 'larger than 16 MB' },
    ],
  })
})

async function refused(input: string, out: string): Promise<{ code: unknown; stderr: string }> {
  const child = spawn(process.execPath, [...FLAGS, MAIN, input, '--out', join(folder, out)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const code = await new Promise((resolve) => {
    child.on('close', resolve)
  })
  return { code, stderr }
}

function start(
  out: string,
  paceMs: number,
  more: Array<string> = [],
  input = 'input',
): { child: ChildProcess; ended: Promise<unknown>; result: Promise<unknown> } {
  const options = ['--out', join(folder, out), '--pace', String(paceMs), '--json', ...more]
  const child = spawn(process.execPath, [...FLAGS, MAIN, join(folder, input), ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let stdout = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  const ended = new Promise((resolve) => {
    child.on('close', resolve)
  })
  return { child, ended, result: ended.then(() => (stdout === '' ? undefined : JSON.parse(stdout))) }
}

async function waitForCompleted(out: string, count: number): Promise<void> {
  for (;;) {
    const rows = await readRows(out).catch(() => [])
    if (completed(rows).size >= count) {
      return
    }
    await pause(20)
  }
}

async function readRows(out: string): Promise<Array<DurableTaskExecutionStorageObject>> {
  const storage = createSqliteStorage({ path: join(folder, out, 'state.db') })
  try {
    return await storage.withTransaction(
      async (tx) =>
        await tx.getTaskExecutions({ type: 'by_statuses', statuses: ['completed', 'ready', 'running'] }),
    )
  } finally {
    await storage.close()
  }
}

function completed(
  rows: Array<DurableTaskExecutionStorageObject>,
): Map<string, DurableTaskExecutionStorageObject> {
  const files = rows.filter((row) => row.status === 'completed' && row.isClosed)
  return new Map(files.map((row) => [row.executionId, row]))
}

async function readReport(out: string): Promise<string> {
  const report = JSON.parse(await readFile(join(folder, out, 'report.json'), 'utf8')) as object
  return JSON.stringify(report)
}
