/** What every worker here does: it opens the file, defines the tasks, and runs them until it is told to stop. */

import { DurableExecutor, type DurableExecutorOptions, type Logger } from 'durable-execution'
import { createSqliteStorage } from 'durable-execution/sqlite'

/** Nothing is logged: errors are a part of these shows, and are counted at their end. */
export const SILENT: Logger = { debug: () => {}, info: () => {}, error: () => {} }

export async function runWorker(
  path: string,
  defineTasks: (executor: DurableExecutor) => unknown,
  options: DurableExecutorOptions = {},
): Promise<void> {
  const storage = createSqliteStorage({ path })
  const executor = new DurableExecutor(storage, {
    // What a crash costs: after so long, what the dead process was running is taken over. The default is 30 s.
    expireMs: 3_000,
    // Who loses its process three times in a row is given up, unless told otherwise. Here processes die for no fault of the tasks.
    maxLosses: 100,
    maxConcurrentTaskExecutions: 4,
    logger: SILENT,
    ...options,
  })
  defineTasks(executor)

  async function stop(): Promise<void> {
    await executor.shutdown()
    await storage.close()
    process.exit(0)
  }
  // The engine installs no signal handlers: when to stop is the program's decision.
  process.once('SIGTERM', () => void stop())
  // A show leaves nothing behind: workers end with whoever started them.
  process.once('disconnect', () => process.exit(1))

  await executor.start()
  process.send?.('started')
}
