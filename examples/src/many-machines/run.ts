/** The show: three workers on one Postgres send a mailing, and one of them is killed in the middle. */

import { setTimeout as pause } from 'node:timers/promises'

import { DurableExecutor } from 'durable-execution'
import { createPostgresStorage } from 'durable-execution/postgres'

import { type Incidents, PostOffice } from './post-office.ts'
import { createProgress, say } from './progress.ts'
import { defineTasks, type MailingResult } from './tasks.ts'
import { startWorker, type Worker } from './workers.ts'

export type ShowOptions = { connectionString: string; letters: number; paceMs: number; isQuiet: boolean }

export type ShowResult = Incidents &
  MailingResult & {
    killed: string
    /** How many letters had been sent when the worker was killed. */
    sentBeforeKill: number
    seconds: number
  }

const NAMES = ['worker-1', 'worker-2', 'worker-3']

// The demo keeps its tables apart, so that it can be run on any database and leave nothing there.
const SCHEMA = `durable_execution_demo_${process.pid}`

const LOOK_EVERY_MS = 25

// How much of the work is done when a worker is killed.
const KILL_AT = 0.4
const VICTIM = 1

export async function runShow(options: ShowOptions): Promise<ShowResult> {
  const { connectionString } = options
  const office = new PostOffice(connectionString, SCHEMA)
  const storage = createPostgresStorage({ connectionString, schema: SCHEMA })
  // The producer only enqueues: it never starts its executor, so it runs nothing itself.
  const producer = new DurableExecutor(storage)
  const workers: Array<Worker> = []
  try {
    await office.open()
    await storage.migrate()
    workers.push(...(await Promise.all(NAMES.map((name) => startWorker(name, connectionString, SCHEMA)))))
    return await sendMailing(options, producer, office, workers)
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()))
    await producer.shutdown()
    await storage.close()
    await office.demolish()
    await office.close()
  }
}

async function sendMailing(
  { letters, paceMs, isQuiet }: ShowOptions,
  producer: DurableExecutor,
  office: PostOffice,
  workers: ReadonlyArray<Worker>,
): Promise<ShowResult> {
  const beganAt = performance.now()
  const mailing = defineTasks(producer, { worker: 'producer', office })
  const handle = await producer.enqueueTask(mailing, { letters, paceMs })

  let isFinished = false
  const finished = handle.waitAndGetTaskFinishedExecution().finally(() => {
    isFinished = true
  })
  const show = isQuiet ? () => {} : createProgress(letters)
  let killed: Worker | undefined
  let sentBeforeKill = 0
  while (!isFinished) {
    const sent = await office.countSent()
    show(sent, killed === undefined ? '3 workers' : '2 workers')
    const isTime = killed === undefined && sent >= letters * KILL_AT
    // In the middle of its work, and not between two letters.
    if (isTime && (await office.hasJustBegun(NAMES[VICTIM] ?? '', paceMs))) {
      killed = workers[VICTIM]
      sentBeforeKill = sent
      if (!isQuiet) {
        say(`kill -9 ${killed?.pid}: ${killed?.name} is gone, and with it what it was doing`)
      }
      await killed?.kill()
    }
    await Promise.race([finished.catch(() => {}), pause(LOOK_EVERY_MS)])
  }
  const execution = await finished
  if (execution.status !== 'completed') {
    throw new Error(`The mailing ended ${execution.status}`)
  }
  show(await office.countSent(), 'done\n')
  const seconds = Math.round((performance.now() - beganAt) / 100) / 10
  const name = killed?.name ?? ''
  return {
    ...execution.output,
    ...(await office.findIncidents(letters, name)),
    killed: name,
    sentBeforeKill,
    seconds,
  }
}
