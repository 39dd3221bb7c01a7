/** Growth by processes: no-op tasks that wait in one storage, worked off by one, two and four processes. */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { type DurableStorage } from 'durable-execution'

import { openOurs } from '../engines/ours.ts'
import { until } from '../measure/meter.ts'
import { type Metrics } from '../measure/metrics.ts'
import { type GrowthJob } from './growth.ts'
import { lineMetrics, PROCESSES } from './lines.ts'
// The module itself is a program, and is not to be run here.
import type { WorkerMessage } from './worker.ts'

type WorkerProcess = { tell: (message: WorkerMessage) => Promise<number>; end: () => void }

export async function measureProcesses(storage: DurableStorage, job: GrowthJob): Promise<Metrics> {
  const perSec: Record<number, number> = {}
  for (const count of PROCESSES) {
    perSec[count] = await measure(storage, job, count)
  }
  const [one, ...more] = PROCESSES
  const metrics: Metrics = {}
  for (const count of more) {
    Object.assign(
      metrics,
      lineMetrics(`processes${count}`, perSec[one] ?? Number.NaN, perSec[count] ?? Number.NaN),
    )
  }
  return metrics
}

async function measure(storage: DurableStorage, job: GrowthJob, count: number): Promise<number> {
  const { tasks, warm } = job.amounts
  const workers = await Promise.all(Array.from({ length: count }, () => startWorkerProcess(job)))
  const tellAll = async (message: WorkerMessage): Promise<number> => {
    const counts = await Promise.all(workers.map((worker) => worker.tell(message)))
    return counts.reduce((sum, ran) => sum + ran, 0)
  }
  // It never starts, so it only enqueues.
  const session = openOurs(storage, () => Promise.resolve())
  const workOff = async (amount: number): Promise<number> => {
    await session.enqueue(amount)
    const startedAt = performance.now()
    await tellAll('start')
    // They count, since to look for what is left costs the storage as much as the work does.
    await until(async () => (await tellAll('count')) >= amount, 10)
    // Ends when the last outcome is in the storage.
    await tellAll('stop')
    const seconds = (performance.now() - startedAt) / 1_000
    return amount / seconds
  }
  try {
    if (warm > 0) {
      // Each process has a compiler of its own to pay for.
      await workOff(warm * count)
    }
    return await workOff(tasks)
  } finally {
    for (const worker of workers) {
      worker.end()
    }
    await session.close()
  }
}

async function startWorkerProcess({ engine, place }: GrowthJob): Promise<WorkerProcess> {
  const child = fork(join(import.meta.dirname, 'worker.ts'), [engine, place])
  const answer = async (): Promise<number> => {
    const ended = once(child, 'exit').then(() => Promise.reject(new Error('A worker process has ended')))
    const [ran] = (await Promise.race([once(child, 'message'), ended])) as [number]
    return ran
  }
  await answer()
  return {
    tell: async (message) => {
      const answered = answer()
      child.send(message)
      return await answered
    },
    end: () => child.kill('SIGKILL'),
  }
}
