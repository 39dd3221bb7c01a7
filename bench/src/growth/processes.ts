/**
 * Growth by processes: no-op tasks that wait in one storage, worked off by one, two and four processes, in turn, since the machine is
 * quicker in one minute than in the next; the figures are medians.
 */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { type DurableStorage } from 'durable-execution'

import { type Session } from '../engines/engine.ts'
import { openOurs } from '../engines/ours.ts'
import { until } from '../measure/meter.ts'
import { type Metrics } from '../measure/metrics.ts'
import { median } from '../measure/quantile.ts'
import { type GrowthJob } from './growth.ts'
import { lineMetrics, PROCESSES } from './lines.ts'
// The module itself is a program, and is not to be run here.
import type { WorkerMessage } from './worker.ts'

type WorkerProcess = { tell: (message: WorkerMessage) => Promise<number>; end: () => void }

const ROUNDS = 3

export async function measureProcesses(storage: DurableStorage, job: GrowthJob): Promise<Metrics> {
  const { tasks, warm } = job.amounts
  const workers = await Promise.all(
    Array.from({ length: Math.max(...PROCESSES) }, () => startWorkerProcess(job)),
  )
  // It never starts, so it only enqueues.
  const session = openOurs(storage, () => Promise.resolve())
  try {
    if (warm > 0) {
      // Each process has a compiler of its own to pay for, and would pay while it is measured.
      await workOff(session, workers, Math.max(warm, Math.ceil(tasks / 4)) * workers.length)
    }
    const perSec = PROCESSES.map((): Array<number> => [])
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [index, count] of PROCESSES.entries()) {
        // Others each time, so that none of them is warmer than the rest.
        const some = [...workers.slice(round), ...workers].slice(0, count)
        perSec[index]?.push(await workOff(session, some, Math.ceil(tasks / 2)))
      }
    }
    return metricsOfLines(perSec.map(median))
  } finally {
    for (const worker of workers) {
      worker.end()
    }
    await session.close()
  }
}

function metricsOfLines([one, ...more]: Array<number>): Metrics {
  const metrics: Metrics = {}
  for (const [index, perSec] of more.entries()) {
    Object.assign(metrics, lineMetrics(`processes${PROCESSES[index + 1]}`, one ?? Number.NaN, perSec))
  }
  return metrics
}

/** Gives how many tasks a second the processes did together. */
async function workOff(
  session: Session,
  workers: ReadonlyArray<WorkerProcess>,
  amount: number,
): Promise<number> {
  const tellAll = async (message: WorkerMessage): Promise<number> => {
    const counts = await Promise.all(workers.map((worker) => worker.tell(message)))
    return counts.reduce((sum, ran) => sum + ran, 0)
  }
  await session.enqueue(amount)
  const startedAt = performance.now()
  await tellAll('start')
  // They count, since to look for what is left costs the storage as much as the work does.
  await until(async () => (await tellAll('count')) >= amount, 10)
  // Ends when the last outcome is in the storage.
  await tellAll('stop')
  return (amount / (performance.now() - startedAt)) * 1_000
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
