/**
 * Fan-out: a parent with 1,000 children and one with 10,000, each with a finalize task that combines
 * the outputs, in a process of its own. Prints the time for each child, the ratio of the two (1 is
 * perfectly linear) and the memory of the process.
 *
 *     npm run bench:fan-out [-- memory sqlite postgres]
 */

import { execFileSync } from 'node:child_process'

import { DurableExecutor } from 'durable-execution'

import { openStorage, quantile, QUIET, STORAGES } from './storages.ts'

type Run = { seconds: number; rssMb: number }

const ROUNDS = 3
const [first, ...rest] = process.argv.slice(2)

if (first === '--child') {
  const [name, count] = rest
  console.log(JSON.stringify(await measure(name ?? 'sqlite', Number(count))))
} else {
  const names = process.argv.slice(2)
  console.log(
    '| storage | 1,000 children, s | 10,000 children, s | time per child, ratio | RSS at 10,000, MB |',
  )
  console.log('|---|---|---|---|---|')
  for (const name of names.length > 0 ? names : STORAGES) {
    const small: Array<Run> = []
    const large: Array<Run> = []
    // Interleaved, so that what else the machine does meets both alike.
    for (let round = 0; round < ROUNDS; round += 1) {
      small.push(runChild(name, 1_000))
      large.push(runChild(name, 10_000))
    }
    const seconds = (runs: Array<Run>): number =>
      quantile(
        runs.map((run) => run.seconds),
        0.5,
      )
    const ratio = seconds(large) / 10 / seconds(small)
    const rssMb = Math.max(...large.map((run) => run.rssMb))
    console.log(
      `| ${name} | ${seconds(small).toFixed(3)} | ${seconds(large).toFixed(3)} | ${ratio.toFixed(2)} | ${rssMb.toFixed(0)} |`,
    )
  }
}

function runChild(name: string, count: number): Run {
  const flags = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning']
  const text = execFileSync(
    process.execPath,
    [...flags, import.meta.filename, '--child', name, String(count)],
    { encoding: 'utf8' },
  )
  return JSON.parse(text) as Run
}

async function measure(name: string, count: number): Promise<Run> {
  const { storage, cleanUp } = await openStorage(name)
  const executor = new DurableExecutor(storage, { logger: QUIET, maxConcurrentTaskExecutions: 500 })
  const child = executor.task({ id: 'child', timeoutMs: 60_000, run: (_ctx, index: number) => index * 2 })
  const parent = executor.parentTask({
    id: 'parent',
    timeoutMs: 60_000,
    runParent: (_ctx, size: number) => ({
      output: size,
      childrenTasks: Array.from({ length: size }, (_, index) => ({ task: child, input: index })),
    }),
    finalizeTask: {
      id: 'combine',
      timeoutMs: 60_000,
      run: (_ctx, { childrenTasksOutputs }) =>
        childrenTasksOutputs.reduce((sum, one) => sum + (one.output as number), 0),
    },
  })
  await executor.start()
  // Warmed up by a smaller fan-out: the first thousands of tasks of a process pay for its compiler.
  await run(1_000)
  const startedAt = performance.now()
  await run(count)
  const seconds = (performance.now() - startedAt) / 1_000
  const rssMb = process.memoryUsage().rss / 1e6
  await executor.shutdown()
  await cleanUp()
  return { seconds, rssMb }

  async function run(size: number): Promise<void> {
    const handle = await executor.enqueueTask(parent, size)
    const execution = await handle.waitAndGetTaskFinishedExecution()
    if (execution.status !== 'completed' || execution.output !== size * (size - 1)) {
      throw new Error(`the fan-out of ${size} ended ${execution.status}`)
    }
  }
}
