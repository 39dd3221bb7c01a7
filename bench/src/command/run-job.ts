/** Runs one job in a process of its own. */

import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'

import { type Job } from '../job.ts'
import { type Metrics } from '../measure/metrics.ts'

export type Outcome = { kind: 'measured'; metrics: Metrics } | { kind: 'failed'; why: string; said: string }

const CHILD = join(import.meta.dirname, '../child.ts')
const KEPT_CHARACTERS = 2_000

/** Never rejects: an engine that fails is a line in the report. It is killed after the timeout or by the signal. */
export function runJob(
  job: Job,
  nodeFlags: ReadonlyArray<string>,
  timeoutSeconds: number,
  signal: AbortSignal,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = fork(CHILD, [JSON.stringify(job)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [...process.execArgv, ...nodeFlags],
    })
    const said = lastWords(child)
    let metrics: Metrics | undefined
    let isLate = false
    const kill = (): void => {
      child.kill('SIGKILL')
    }
    const timer = setTimeout(() => {
      isLate = true
      kill()
    }, timeoutSeconds * 1_000)
    signal.addEventListener('abort', kill)
    child.on('message', (message) => {
      metrics = message as Metrics
    })
    child.once('error', (error) => {
      resolve({ kind: 'failed', why: error.message, said: said() })
    })
    child.once('close', (code, killedBy) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', kill)
      if (metrics !== undefined) {
        resolve({ kind: 'measured', metrics })
      } else if (isLate) {
        resolve({ kind: 'failed', why: `not done after ${timeoutSeconds} s (--timeout)`, said: said() })
      } else {
        resolve({ kind: 'failed', why: `ended with ${code ?? killedBy}`, said: said() })
      }
    })
  })
}

/** What it printed last. It is not shown while all is well, since it would stand in the middle of the tables. */
function lastWords(child: ChildProcess): () => string {
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (more: string) => {
      text = (text + more).slice(-KEPT_CHARACTERS)
    })
  }
  return () => text.trim()
}
