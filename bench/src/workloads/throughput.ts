/**
 * Throughput: enqueue no-op tasks, then start a worker, until the store shows all of them done. The tasks that
 * warm the process up go through the same, and give the figures of a cold process.
 */

import { byCallers } from '../engines/callers.ts'
import { type Session } from '../engines/engine.ts'
import { type Amounts } from '../job.ts'
import { startMeter, type Usage } from '../measure/meter.ts'
import { costOf, type Metrics, metricsOf, rssMb } from '../measure/metrics.ts'

/** So many callers enqueue one task each, again and again. */
export const CALLERS = 200

const MOST_SECONDS_OF_CALLERS = 5

export async function measureThroughput(
  session: Session,
  { tasks, warm }: Amounts,
  serverPid: number | undefined,
): Promise<Metrics> {
  const cold = warm === 0 ? undefined : await runOnce(session, warm, serverPid)
  const measured = await runOnce(session, tasks, serverPid)
  const enqueuing = costOf(measured.enqueuing, tasks, 'Task')
  return metricsOf({
    tasks,
    enqueuePerSec: tasks / measured.enqueuing.seconds,
    processPerSec: tasks / measured.processing.seconds,
    ...costOf(measured.processing, tasks, 'Task'),
    enqueueNodeMicrosPerTask: enqueuing['nodeMicrosPerTask'],
    enqueueServerMicrosPerTask: enqueuing['serverMicrosPerTask'],
    rssMb: measured.rssMb,
    ...(cold === undefined ? {} : coldMetrics(cold, warm)),
    // Last, since it leaves tasks behind.
    callersEnqueuePerSec: await enqueueByCallers(session, tasks),
  })
}

type Run = { enqueuing: Usage; processing: Usage; rssMb: number }

async function runOnce(session: Session, count: number, serverPid: number | undefined): Promise<Run> {
  const stopEnqueuing = startMeter(serverPid)
  await session.enqueue(count)
  const enqueuing = stopEnqueuing()
  const stopProcessing = startMeter(serverPid)
  const worker = await session.startWorker()
  await worker.finished(count)
  const processing = stopProcessing()
  await worker.stop()
  return { enqueuing, processing, rssMb: rssMb() }
}

function coldMetrics({ enqueuing, processing, rssMb: rss }: Run, warm: number): Metrics {
  const { nodeMicrosPerTask, serverMicrosPerTask } = costOf(processing, warm, 'Task')
  return metricsOf({
    coldTasks: warm,
    coldEnqueuePerSec: warm / enqueuing.seconds,
    coldProcessPerSec: warm / processing.seconds,
    coldNodeMicrosPerTask: nodeMicrosPerTask,
    coldServerMicrosPerTask: serverMicrosPerTask,
    coldRssMb: rss,
  })
}

async function enqueueByCallers(session: Session, count: number): Promise<number | undefined> {
  const { enqueueOne } = session
  if (enqueueOne === undefined) {
    return undefined
  }
  let enqueued = 0
  const startedAt = performance.now()
  const endsAt = startedAt + MOST_SECONDS_OF_CALLERS * 1_000
  await byCallers(CALLERS, count, async (index) => {
    if (performance.now() < endsAt) {
      await enqueueOne(index)
      enqueued += 1
    }
  })
  return (enqueued / (performance.now() - startedAt)) * 1_000
}
