/**
 * What durable code costs that waits: the memory and the statements of an executor beside many suspended executions, and how long
 * a run takes to come back to where it was.
 *
 *     node --experimental-strip-types bench/src/durable-code.ts [executions] [sleeps]
 *
 * On a SQLite file in the folder for temporary files. `executions` (100,000) are really run, each until it waits for a signal;
 * then the executor is watched for ten seconds. A loop of so many `sleeps` (1,000) is replayed once at its end.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { DurableExecutor, type DurableStorage } from 'durable-execution'
import { createSqliteStorage } from 'durable-execution/sqlite'

import { timed } from './batches.ts'
import { countSqliteStatements } from './engines/counting-sqlite.ts'
import { QUIET } from './engines/ours.ts'
import { quantile } from './measure/quantile.ts'

const WATCH_MS = 10_000
const PER_ENQUEUE = 5_000
const WAKES = 50

const [executions = 100_000, sleeps = 1_000] = process.argv.slice(2).map(Number)
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const countAsked = countSqliteStatements()
const folder = mkdtempSync(join(tmpdir(), 'durable-execution-bench-'))
const storage = createSqliteStorage({ path: join(folder, 'tasks.db') })
try {
  await storage.migrate()
  console.log(await measureReplay(storage, sleeps))
  console.log(await measureSuspended(storage, executions))
} finally {
  await storage.close()
  rmSync(folder, { recursive: true })
}

/** How long a run takes to come back to the end of a loop of sleeps. */
async function measureReplay(at: DurableStorage, count: number): Promise<string> {
  const executor = new DurableExecutor(at, { logger: QUIET })
  const task = executor.task({
    id: 'sleeps',
    timeoutMs: 600_000,
    run: async (ctx) => {
      const beginMs = performance.now()
      const cpu = process.cpuUsage()
      for (let nap = 0; nap < count; nap += 1) {
        await ctx.sleep('nap', 1)
      }
      const tookMs = performance.now() - beginMs
      const { user, system } = process.cpuUsage(cpu)
      await ctx.sleep('end', 1_500)
      return { tookMs, cpuMs: (user + system) / 1_000 }
    },
  })
  await executor.start()
  const handle = await executor.enqueueTask(task, undefined)
  const end = await handle.waitAndGetTaskFinishedExecution()
  await executor.shutdown()
  if (end.status !== 'completed') {
    throw new Error(`The loop of sleeps ended ${end.status}`)
  }
  return `A loop of ${count.toLocaleString('en')} sleeps is replayed in ${end.output.tookMs.toFixed(1)} ms (${end.output.cpuMs.toFixed(1)} ms of CPU)`
}

type Watched = { statements: number; transactions: number; changeChecks: number; heapKb: number }

/** What an executor does and holds that has nothing to do, without and with suspended executions. */
async function measureSuspended(at: DurableStorage, count: number): Promise<string> {
  const executor = new DurableExecutor(at, { logger: QUIET, maxConcurrentTaskExecutions: 200 })
  let runs = 0
  const task = executor.task({
    id: 'waits',
    timeoutMs: 600_000,
    run: async (ctx, input: number) => {
      runs += 1
      return input + (await ctx.waitForSignal<number>('go'))
    },
  })
  await executor.start()
  const suspend = async (inputs: Array<number>): Promise<Array<string>> => {
    const handles = await executor.enqueueTasks(task, inputs)
    return handles.map((handle) => handle.getTaskExecutionId())
  }
  const untilSuspended = async (wanted: number): Promise<void> => {
    while (runs < wanted || executor.getRunningTaskExecutionIds().size > 0) {
      await sleep(20)
    }
  }
  // What is made once is made before.
  await suspend([...Array(1_000).keys()])
  await untilSuspended(1_000)
  const before = await watch()
  let ids: Array<string> = []
  const ms = await timed(async () => {
    for (let from = 0; from < count; from += PER_ENQUEUE) {
      ids = await suspend([...Array(Math.min(PER_ENQUEUE, count - from)).keys()])
      await untilSuspended(1_000 + Math.min(from + PER_ENQUEUE, count))
    }
  })
  const after = await watch()
  const wakesMs: Array<number> = []
  for (const id of ids.slice(0, WAKES)) {
    const handle = await executor.getTaskHandle(task, id)
    const signalledMs = await timed(async () => {
      await executor.signal(id, 'go', 1)
      await handle.waitAndGetTaskFinishedExecution()
    })
    wakesMs.push(signalledMs)
  }
  await executor.shutdown()
  const perSecond = Math.round((count / ms) * 1_000).toLocaleString('en')
  return [
    `${count.toLocaleString('en')} executions were suspended at ${perSecond} a second; one that is signalled has ended in ${quantile(wakesMs, 0.5).toFixed(1)} ms (median of ${WAKES})`,
    '',
    `| for ${WATCH_MS / 1_000} s | statements | transactions | change checks | heap, KB |`,
    '|---|---|---|---|---|',
    line('1,000 suspended', before),
    line(`${(1_000 + count).toLocaleString('en')} suspended`, after),
  ].join('\n')
}

async function watch(): Promise<Watched> {
  // What is left to be done is done first.
  await sleep(2_000)
  collectGarbage()
  const heapKb = Math.round(process.memoryUsage().heapUsed / 1_024)
  const from = countAsked()
  await sleep(WATCH_MS)
  const to = countAsked()
  return {
    statements: to.statements - from.statements,
    transactions: to.transactions - from.transactions,
    changeChecks: to.changeChecks - from.changeChecks,
    heapKb,
  }
}

function line(name: string, { statements, transactions, changeChecks, heapKb }: Watched): string {
  return `| ${name} | ${statements} | ${transactions} | ${changeChecks} | ${heapKb.toLocaleString('en')} |`
}
