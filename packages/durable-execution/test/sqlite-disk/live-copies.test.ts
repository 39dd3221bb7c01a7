/** Copies of the files that are taken while another process works: which of them SQLite promises to be whole. */

import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { expect, onTestFinished, test } from 'vitest'

import { checkWorld } from '../../src/machine/invariants.ts'
import { randomOf, wholeBetween } from './chance.ts'
import { copyDatabase, integrityOf, newFolder } from './files.ts'
import { finishAll } from './finishing.ts'

const BUSY_PROCESS = join(import.meta.dirname, 'busy-process.ts')
const COPIES = 10
const BETWEEN_FILES_MS = 40
const LONGEST_PAUSE_MS = 120

test.each([
  ['the database before its log', ['', '-wal']],
  ['the log before its database', ['-wal', '']],
] as const)(
  'a copy of %s, taken under a read lock while others write, has all that was acknowledged, and is finished',
  async (_, order) => {
    const { path, ledger } = await startBusyProcess()
    const random = randomOf(order[0].length)
    const reader = new DatabaseSync(path, { timeout: 5_000 })
    const copies: Array<{ path: string; acknowledged: Array<string> }> = []
    for (let count = 0; count < COPIES; count += 1) {
      await pause(wholeBetween(random, 1, LONGEST_PAUSE_MS))
      const acknowledged = linesOf(ledger)
      const copy = `${path}.copy${count}`
      // Whoever reads keeps the log from being begun anew, and from being brought into the database beyond what is read.
      reader.exec('begin')
      reader.prepare('select count(*) from durable_execution_executions').get()
      for (const ending of order) {
        copyDatabase(path, copy, [ending])
        // Time enough for the others to bring the log into the database, and to begin it anew, if they could.
        await pause(BETWEEN_FILES_MS)
      }
      reader.exec('commit')
      copies.push({ path: copy, acknowledged })
    }
    reader.close()

    expect(copies.at(-1)?.acknowledged.length).toBeGreaterThan(copies[0]?.acknowledged.length ?? Infinity)
    for (const copy of copies) {
      copyDatabase(copy.path, `${copy.path}.again`)
      assert.equal(integrityOf(`${copy.path}.again`), 'ok', copy.path)
      const { before } = await finishAll(copy.path)
      assert.deepEqual(checkWorld(before), [], copy.path)
      const ids = new Set(before.map(({ executionId }) => executionId))
      assert.deepEqual(
        copy.acknowledged.filter((id) => !ids.has(id)),
        [],
        `${copy.path} lacks what was acknowledged`,
      )
    }
  },
)

async function startBusyProcess(): Promise<{ path: string; ledger: string }> {
  const folder = newFolder()
  const [path, ledger] = [join(folder, 'tasks.db'), join(folder, 'ledger')]
  writeFileSync(ledger, '')
  const child: ChildProcess = fork(BUSY_PROCESS, [path, ledger], {
    execArgv: ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  onTestFinished(async () => {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  })
  await once(child, 'message')
  return { path, ledger }
}

/** The lines that are whole. */
function linesOf(ledger: string): Array<string> {
  return readFileSync(ledger, 'utf8').split('\n').slice(0, -1)
}
