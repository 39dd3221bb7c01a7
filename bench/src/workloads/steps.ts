/** Steps: many workflows of one, three and a hundred steps, from the first that is started to the last that is done. */

import { type Session } from '../engines/engine.ts'
import { type Amounts } from '../job.ts'
import { startMeter } from '../measure/meter.ts'
import { costOf, type Metrics, metricsOf } from '../measure/metrics.ts'

const WORKFLOWS = 1_000
const MEASURED_MS = 1_000

export async function measureSteps(
  session: Session,
  { tasks, warm }: Amounts,
  serverPid: number | undefined,
): Promise<Metrics> {
  const worker = await session.startWorker()
  const run = async (workflows: number, steps: number): Promise<{ perSec: number; cost: Metrics }> => {
    const count = Math.min(workflows, tasks)
    const stopMeter = startMeter(serverPid)
    const beganAt = performance.now()
    let done = 0
    // Again until it lasts: what is over in a moment is decided by when memory happens to be collected.
    while (done === 0 || performance.now() - beganAt < MEASURED_MS) {
      await session.runWorkflows(count, steps)
      done += count
    }
    const usage = stopMeter()
    return { perSec: done / usage.seconds, cost: costOf(usage, done, 'Workflow') }
  }
  // As many at a time as are measured.
  for (let left = warm; left > 0; left -= WORKFLOWS) {
    await session.runWorkflows(Math.min(WORKFLOWS, left), 3)
  }
  const three = await run(WORKFLOWS, 3)
  const one = await run(WORKFLOWS, 1)
  const hundred = await run(WORKFLOWS, 100)
  await worker.stop()
  return metricsOf({
    workflowsPerSec: three.perSec,
    oneStepWorkflowsPerSec: one.perSec,
    hundredStepWorkflowsPerSec: hundred.perSec,
    ...three.cost,
  })
}
