/**
 * One process of a benchmark: measures the job that it is given, and sends the figures to its parent. It loads nothing beside what that job
 * needs, since its memory is measured too: the driver of Postgres, with the modules of Node that it needs, is up to 10 MB.
 */

import { loadEngine } from './engines/load.ts'
import { type Engine, type Session } from './engines/engine.ts'
import { type Amounts, type Job } from './job.ts'
import { type TwoCommits } from './limits/two-commits.ts'
import { type Metrics } from './measure/metrics.ts'
import { measureFanOut } from './workloads/fan-out.ts'
import { measureIdle } from './workloads/idle.ts'
import { measureLatency } from './workloads/latency.ts'
import { measureSteps } from './workloads/steps.ts'
import { measureThroughput } from './workloads/throughput.ts'

async function measure(job: Job): Promise<Metrics> {
  switch (job.kind) {
    case 'workload':
      return await measureWorkload(job)
    case 'limit':
      return await measureLimitOf(job)
    case 'growth': {
      const { measureGrowth } = await import('./growth/growth.ts')
      return await measureGrowth(job)
    }
  }
}

async function measureLimitOf({
  storage,
  place,
  amounts,
}: Extract<Job, { kind: 'limit' }>): Promise<Metrics> {
  switch (storage) {
    case 'file': {
      const { measureSqliteLimit } = await import('./limits/sqlite.ts')
      return await measureSqliteLimit(place, amounts)
    }
    case 'postgres': {
      const { measurePostgresLimit } = await import('./limits/postgres.ts')
      return await measurePostgresLimit(place, amounts)
    }
  }
}

type WorkloadJob = Extract<Job, { kind: 'workload' }>

async function measureWorkload(job: WorkloadJob): Promise<Metrics> {
  const engine = await loadEngine(job.engine)
  const session = await engine.open(job.place, job.test)
  const floor = job.test === 'latency' ? await openFloor(engine, job.floorPlace) : undefined
  try {
    return await runWorkload(job, engine, session, floor)
  } finally {
    await floor?.close()
    await session.close()
  }
}

async function runWorkload(
  { test, amounts, serverPid, place }: WorkloadJob,
  { tasksAtMost = Infinity }: Engine,
  session: Session,
  floor: TwoCommits | undefined,
): Promise<Metrics> {
  switch (test) {
    case 'throughput':
      return await measureThroughput(session, capped(amounts, tasksAtMost), serverPid)
    case 'latency':
      return await measureLatency(session, amounts, serverPid, floor)
    case 'steps':
      return await measureSteps(session, amounts, serverPid)
    case 'fanout':
      return await measureFanOut(session, amounts, serverPid)
    case 'idle':
      return await measureIdle(session, amounts, serverPid, place)
  }
}

function capped(amounts: Amounts, tasksAtMost: number): Amounts {
  return {
    ...amounts,
    tasks: Math.min(amounts.tasks, tasksAtMost),
    warm: Math.min(amounts.warm, tasksAtMost),
  }
}

async function openFloor({ server }: Engine, place: string): Promise<TwoCommits | undefined> {
  switch (server) {
    case 'file':
    case 'postgres': {
      const { openFileCommits, openPostgresCommits } = await import('./limits/two-commits.ts')
      return server === 'file' ? openFileCommits(place) : await openPostgresCommits(place)
    }
    case 'nothing':
    case 'redis':
      return undefined
  }
}

process.on('disconnect', () => {
  // Its parent is gone.
  process.exit()
})

const metrics = await measure(JSON.parse(process.argv[2] ?? '') as Job)
process.send?.(metrics, () => {
  // Not every engine lets go of all its timers and connections.
  process.exit()
})
