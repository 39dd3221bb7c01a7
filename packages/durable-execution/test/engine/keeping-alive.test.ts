/** What keeps a process alive and what does not, seen from outside: each test runs a program of its own. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { expect, test } from 'vitest'

const entry = new URL('../../src/index.ts', import.meta.url).href

/** Runs a program, and gives what it wrote once it has ended by itself. */
async function run(lines: string): Promise<{ code: number; output: string }> {
  const program = `
    const { createInMemoryStorage, DurableExecutor } = await import(${JSON.stringify(entry)})
    const logger = { debug() {}, info() {}, error() {} }
    const storage = createInMemoryStorage()
    const executor = new DurableExecutor(storage, { logger })
    const task = executor.task({ id: 'work', timeoutMs: 60_000, run: () => 'done' })
    ${lines}`
  return await new Promise((resolve) => {
    execFile(
      process.execPath,
      [
        '--experimental-strip-types',
        '--disable-warning=ExperimentalWarning',
        '--input-type=module',
        '--eval',
        program,
      ],
      { cwd: fileURLToPath(new URL('../..', import.meta.url)), timeout: 25_000, killSignal: 'SIGKILL' },
      (error, output, errors) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        resolve({ code, output: `${output}${errors}` })
      },
    )
  })
}

test('an executor that only enqueues lets its process end', async () => {
  const ended = await run(`
    await executor.enqueueTask(task, 1)
    console.log('enqueued')`)
  expect(ended).toEqual({ code: 0, output: 'enqueued\n' })
})

test('a started executor keeps its process alive, and after shutdown it ends by itself', async () => {
  const ended = await run(`
    await executor.start()
    // A timer that keeps nothing alive fires only if something else does.
    setTimeout(async () => {
      const handle = await executor.enqueueTask(task, 1)
      const { status } = await handle.waitAndGetTaskFinishedExecution()
      await executor.shutdown()
      console.log(status)
    }, 300).unref()`)
  expect(ended).toEqual({ code: 0, output: 'completed\n' })
})

test('a process that waits for an execution lives until it is finished', async () => {
  const ended = await run(`
    const handle = await executor.enqueueTask(task, 1)
    setTimeout(() => void handle.cancel(), 200).unref()
    console.log((await handle.waitAndGetTaskFinishedExecution()).status)`)
  expect(ended).toEqual({ code: 0, output: 'cancelled\n' })
})

test('the engine installs no handlers of process signals', async () => {
  const ended = await run(`
    const names = ['SIGTERM', 'SIGINT', 'SIGHUP', 'beforeExit', 'exit', 'uncaughtException', 'unhandledRejection']
    const before = names.map((name) => process.listenerCount(name)).join()
    await executor.start()
    console.log(names.map((name) => process.listenerCount(name)).join() === before)
    await executor.shutdown()`)
  expect(ended).toEqual({ code: 0, output: 'true\n' })
})

test('a run that outlives shutdown with a grace does not keep its process alive', async () => {
  const ended = await run(`
    const stubborn = executor.task({ id: 'stubborn', timeoutMs: 60_000, run: () => new Promise(() => {}) })
    await executor.start()
    await executor.enqueueTask(stubborn, 1)
    setTimeout(async () => {
      await executor.shutdown({ graceMs: 10 })
      console.log('stopped')
    }, 100).unref()`)
  expect(ended).toEqual({ code: 0, output: 'stopped\n' })
})
