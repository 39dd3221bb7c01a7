/**
 * Throughput: how many no-op tasks a second are enqueued (in calls of 1,000 at once) and processed
 * (by 500 slots, started when all are enqueued), after a warm-up in the same process.
 *
 *     npm run bench:throughput [-- memory sqlite postgres]
 */

import { DurableExecutor } from 'durable-execution'

import { openStorage, QUIET, STORAGES } from './storages.ts'

const TASKS = 20_000
const WARM_UP = 10_000

const names = process.argv.slice(2).filter((name) => !name.startsWith('-'))
console.log('| storage | enqueue /s | process /s | node CPU µs a task, processing |')
console.log('|---|---|---|---|')
for (const name of names.length > 0 ? names : STORAGES) {
  const { storage, cleanUp } = await openStorage(name)
  await measure(storage, WARM_UP)
  const { enqueuePerSec, processPerSec, cpuMicros } = await measure(storage, TASKS)
  await cleanUp()
  const cells = [enqueuePerSec, processPerSec].map((rate) => Math.round(rate).toLocaleString('en'))
  console.log(`| ${name} | ${cells.join(' | ')} | ${cpuMicros.toFixed(0)} |`)
}

async function measure(
  storage: ConstructorParameters<typeof DurableExecutor>[0],
  count: number,
): Promise<{ enqueuePerSec: number; processPerSec: number; cpuMicros: number }> {
  let done = 0
  let allDone = (): void => {}
  const finished = new Promise<void>((resolve) => {
    allDone = resolve
  })
  const executor = new DurableExecutor(storage, { logger: QUIET, maxConcurrentTaskExecutions: 500 })
  const noop = executor.task({
    id: 'noop',
    timeoutMs: 60_000,
    run: () => {
      done += 1
      if (done === count) {
        allDone()
      }
    },
  })
  const enqueuedAt = performance.now()
  for (let index = 0; index < count; index += 1_000) {
    await Promise.all(Array.from({ length: 1_000 }, () => executor.enqueueTask(noop, undefined)))
  }
  const startedAt = performance.now()
  const cpu = process.cpuUsage()
  await executor.start()
  await finished
  // Until the last outcome is in the storage.
  await executor.shutdown()
  const endedAt = performance.now()
  const used = process.cpuUsage(cpu)
  return {
    enqueuePerSec: (count / (startedAt - enqueuedAt)) * 1_000,
    processPerSec: (count / (endedAt - startedAt)) * 1_000,
    cpuMicros: (used.user + used.system) / count,
  }
}
