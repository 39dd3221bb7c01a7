/** Starts workers as processes of their own, and ends them. */

import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'

export type Worker = {
  name: string
  pid: number | undefined
  /** As the lack of memory, or of power, would. */
  kill: () => Promise<void>
  /** Lets it finish what it is doing. */
  stop: () => Promise<void>
}

/** Resolves when the worker runs. */
export async function startWorker(name: string, connectionString: string, schema: string): Promise<Worker> {
  const child = fork(join(import.meta.dirname, 'worker.ts'), [name, connectionString, schema], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve())
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code} before it had started`)))
  })
  return {
    name,
    pid: child.pid,
    kill: async () => await end(child, 'SIGKILL'),
    stop: async () => await end(child, 'SIGTERM'),
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => {
      child.once('exit', resolve)
    })
    child.kill(signal)
    await ended
  }
}
