/** The process that works the orders off: `worker.ts DATABASE SERVICES`. */

import { runWorker } from '../show/worker.ts'
import { defineTasks } from './tasks.ts'

const [database = '', services = ''] = process.argv.slice(2)

await runWorker(database, (executor) => defineTasks(executor, services))
