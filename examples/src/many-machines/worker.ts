/** A worker, as it would run on a machine of its own: `worker.ts NAME CONNECTION SCHEMA`. */

import { DurableExecutor } from 'durable-execution'
import { createPostgresStorage } from 'durable-execution/postgres'

import { PostOffice } from './post-office.ts'
import { defineTasks } from './tasks.ts'

const [name = '', connectionString = '', schema = ''] = process.argv.slice(2)

const storage = createPostgresStorage({ connectionString, schema })
const office = new PostOffice(connectionString, schema)
const executor = new DurableExecutor(storage, {
  // What a crash costs: after so long, what the dead process was running is taken over. The default is 30 s.
  expireMs: 2_000,
  maxConcurrentTaskExecutions: 8,
  logger: { debug: () => {}, info: () => {}, error: console.error },
})
defineTasks(executor, { worker: name, office })

async function stop(): Promise<void> {
  await executor.shutdown()
  await storage.close()
  await office.close()
  process.exit(0)
}
// The engine installs no signal handlers: when to stop is the program's decision.
process.once('SIGTERM', () => void stop())
// A demo leaves nothing behind: workers end with whoever started them.
process.once('disconnect', () => process.exit(1))

await executor.start()
process.send?.('started')
