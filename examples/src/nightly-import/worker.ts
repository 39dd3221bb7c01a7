/** A process that works chunks off, beside others: `worker.ts DATABASE BOOKS`. */

import { runWorker } from '../show/worker.ts'
import { Books } from './books.ts'
import { defineTasks } from './tasks.ts'

const [database = '', books = ''] = process.argv.slice(2)

await runWorker(database, (executor) => defineTasks(executor, new Books(books)), {
  maxConcurrentTaskExecutions: 16,
})
