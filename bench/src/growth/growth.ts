/** Growth: what a thing costs when there is much of it, as a ratio to what it costs when there is little. */

import { type Job } from '../job.ts'
import { type Metrics } from '../measure/metrics.ts'
import { measureChains } from './chain.ts'
import { measureFanOuts } from './fan-outs.ts'
import { measureFinishedRows } from './finished-rows.ts'
import { openOurStorage } from './our-storage.ts'
import { measurePayloads } from './payload.ts'
import { measureProcesses } from './processes.ts'

export type GrowthJob = Extract<Job, { kind: 'growth' }>

/** Measures one part. */
export async function measureGrowth(job: GrowthJob): Promise<Metrics> {
  const { storage, close } = openOurStorage(job.engine, job.place)
  try {
    switch (job.part) {
      case 'finished-rows':
        return await measureFinishedRows(storage, job)
      case 'fan-out':
        return await measureFanOuts(storage)
      case 'chain':
        return await measureChains(storage)
      case 'payload':
        return await measurePayloads(storage)
      case 'processes':
        return await measureProcesses(storage, job)
    }
  } finally {
    await close()
  }
}
