/**
 * Idle: what a worker that has nothing to do costs, in transactions, statements and CPU time. It has run some tasks
 * before, and all that follows from them is done.
 */

import { Client } from 'pg'

import { type Asked, type Session } from '../engines/engine.ts'
import { type Amounts } from '../job.ts'
import { pause, startMeter } from '../measure/meter.ts'
import { type Metrics, metricsOf, rssMb } from '../measure/metrics.ts'

const TASKS_BEFORE = 20

// A connection of Postgres that has nothing more to do reports its transactions up to ten seconds later.
const REPORTED_AFTER_SECONDS = 12

export async function measureIdle(
  session: Session,
  { idleSeconds }: Amounts,
  serverPid: number | undefined,
  place: string,
): Promise<Metrics> {
  const worker = await session.startWorker()
  for (let index = 0; index < TASKS_BEFORE; index += 1) {
    await session.roundTrip(index)
  }
  await session.comeToRest?.()
  const server = place.startsWith('postgres') ? await openPostgresCounter(place) : undefined
  await pause(Math.min(idleSeconds, REPORTED_AFTER_SECONDS) * 1_000)
  // What the server is asked here is outside of what the driver counts, on both sides.
  const transactions = await server?.count()
  const before = await session.countAsked?.()
  const stopMeter = startMeter(serverPid)
  await pause(idleSeconds * 1_000)
  const { seconds, nodeSeconds, serverSeconds, othersPercent } = stopMeter()
  const after = await session.countAsked?.()
  const asked = { ...difference(after, before) }
  if (server !== undefined && transactions !== undefined) {
    asked.transactions = (await server.count()) - transactions
    await server.close()
  }
  const rss = rssMb()
  await worker.stop()
  const perMinute = (count: number | undefined): number | undefined =>
    count === undefined ? undefined : (count / seconds) * 60
  return metricsOf({
    idleTxPerSec: asked.transactions === undefined ? undefined : asked.transactions / seconds,
    idleStatementsPerMinute: perMinute(asked.statements),
    idleChangeChecksPerMinute: perMinute(asked.changeChecks),
    idleNodeCpuPercent: (nodeSeconds / seconds) * 100,
    idleServerCpuPercent: serverSeconds === undefined ? undefined : (serverSeconds / seconds) * 100,
    rssMb: rss,
    othersPercent,
  })
}

function difference(after: Asked = {}, before: Asked = {}): Asked {
  const names = ['transactions', 'statements', 'changeChecks'] as const
  return Object.fromEntries(
    names.flatMap((name) => {
      const [late, early] = [after[name], before[name]]
      return late === undefined || early === undefined ? [] : [[name, late - early]]
    }),
  )
}

type Counter = { count: () => Promise<number>; close: () => Promise<void> }

/** Asks the statistics of the database from another one, so that the questions are not counted. */
async function openPostgresCounter(connectionString: string): Promise<Counter> {
  const url = new URL(connectionString)
  const name = url.pathname.slice(1)
  url.pathname = '/postgres'
  const client = new Client({ connectionString: url.href })
  await client.connect()
  return {
    count: async () => {
      const { rows } = await client.query<{ count: string }>(
        'select xact_commit + xact_rollback as count from pg_stat_database where datname = $1',
        [name],
      )
      return Number(rows[0]?.count)
    },
    close: async () => await client.end(),
  }
}
