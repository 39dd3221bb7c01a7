/** Steps: many workflows of one, three and a hundred steps, from the first that is started to the last that is done. */

import { type Session } from '../engines/engine.ts'
import { type Amounts } from '../job.ts'
import { startMeter } from '../measure/meter.ts'
import { costOf, type Metrics, metricsOf } from '../measure/metrics.ts'

/** Workflows of each length; a hundred steps are as many steps together as three, about. */
const WORKFLOWS = { one: 1_000, three: 1_000, hundred: 30 }

export async function measureSteps(
  session: Session,
  { tasks, warm }: Amounts,
  serverPid: number | undefined,
): Promise<Metrics> {
  const worker = await session.startWorker()
  const run = async (workflows: number, steps: number): Promise<{ perSec: number; cost: Metrics }> => {
    const count = Math.min(workflows, tasks)
    const stopMeter = startMeter(serverPid)
    await session.runWorkflows(count, steps)
    const usage = stopMeter()
    return { perSec: count / usage.seconds, cost: costOf(usage, count, 'Workflow') }
  }
  if (warm > 0) {
    await run(Math.min(WORKFLOWS.three, warm), 3)
  }
  const three = await run(WORKFLOWS.three, 3)
  const one = await run(WORKFLOWS.one, 1)
  const hundred = await run(WORKFLOWS.hundred, 100)
  await worker.stop()
  return metricsOf({
    workflowsPerSec: three.perSec,
    oneStepWorkflowsPerSec: one.perSec,
    hundredStepWorkflowsPerSec: hundred.perSec,
    ...three.cost,
  })
}
