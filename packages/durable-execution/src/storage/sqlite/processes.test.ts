/** Several processes on one file, and one that is killed. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import { expect, onTestFinished, test } from 'vitest'

import { createSqliteStorage } from './index.ts'

const HEAD = `
  import { createSqliteStorage } from ${JSON.stringify(new URL('index.ts', import.meta.url).href)}
  import { createDurableTaskExecutionStorageObject } from ${JSON.stringify(new URL('../../machine/execution.ts', import.meta.url).href)}
  const [path, name] = process.argv.slice(1)
  const storage = createSqliteStorage({ path })
  const row = (executionId) => createDurableTaskExecutionStorageObject({
    now: new Date(0), taskId: 'task', executionId, retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0, timeoutMs: 1, runInput: 'x'.repeat(2000),
  })
  const insert = (ids) => storage.withTransaction(async (tx) => tx.insertTaskExecutions(ids.map(row)))
`

function startProcess(script: string, ...given: Array<string>): ChildProcess {
  const child = spawn(
    process.execPath,
    [
      '--experimental-strip-types',
      '--disable-warning=ExperimentalWarning',
      '--input-type=module',
      '--eval',
      HEAD + script,
      '--',
      ...given,
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'durable-execution-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'tasks.db')
}

async function readAllIds(path: string): Promise<Array<string>> {
  await using storage = createSqliteStorage({ path })
  return await storage.withTransaction(
    async (tx) => await tx.getTaskExecutionIds({ type: 'by_statuses', statuses: ['ready'] }),
  )
}

test('processes that start at once on a new file all migrate and write', async () => {
  const path = newPath()
  const names = ['a', 'b', 'c', 'd']
  const script = `
    process.stdin.once('data', async () => {
      for (let i = 0; i < 20; i += 1) await insert([name + i])
      await storage.close()
      process.exit(0)
    })
    console.log('here')
  `
  const children = names.map((name) => startProcess(script, path, name))
  await Promise.all(children.map(async (child) => await once(child.stdout ?? child, 'data')))
  const ends = children.map(async (child) => await once(child, 'exit'))
  for (const child of children) {
    child.stdin?.write('go')
  }
  expect(await Promise.all(ends)).toEqual(names.map(() => [0, null]))
  expect((await readAllIds(path)).toSorted()).toEqual(
    names.flatMap((name) => Array.from({ length: 20 }, (_, index) => `${name}${index}`)).toSorted(),
  )
})

test('a process that is killed leaves an intact file with every row that it was told is kept', async () => {
  const path = newPath()
  const script = `
    for (let i = 0; ; i += 1) {
      const ids = Array.from({ length: 50 }, (_, k) => 'te_' + i + '_' + k)
      await insert(ids)
      process.stdout.write(ids.join() + '\\n')
    }
  `
  const acknowledged: Array<string> = []
  for (let round = 0; round < 3; round += 1) {
    const child = startProcess(script.replaceAll('te_', `te_${round}_`), path)
    const exited = once(child, 'exit')
    for await (const line of createInterface({ input: child.stdout ?? process.stdin })) {
      acknowledged.push(...line.split(','))
      if (acknowledged.length >= (round + 1) * 2_000) {
        child.kill('SIGKILL')
      }
    }
    await exited
  }
  const database = new DatabaseSync(path)
  onTestFinished(() => database.close())
  const kept = new Set(await readAllIds(path))
  const missing = acknowledged.filter((id) => !kept.has(id))
  expect([database.prepare('pragma integrity_check').get(), missing, kept.size % 50]).toEqual([
    { integrity_check: 'ok' },
    [],
    0,
  ])
})
