/** OpenWorkflow over Postgres: its worker claims one run for each free slot, and polls with back-off. */

import { loadPeer } from '../../peers/load.ts'
import { until } from '../measure/meter.ts'
import { byCallers } from './callers.ts'
import { type Engine, type Session } from './engine.ts'
import { createTally, type Tally } from './tally.ts'

type Run = { status: string }
type Backend = {
  countWorkflowRuns: () => Promise<Record<string, number>>
  getWorkflowRun: (options: { workflowRunId: string }) => Promise<Run>
  stop: () => Promise<void>
}
type Step = {
  run: (options: { name: string }, work: () => Promise<unknown>) => Promise<unknown>
  runWorkflow: (spec: unknown, input: unknown, options: { name: string }) => Promise<unknown>
}
type Definition = {
  workflow: { spec: unknown }
  run: (input: unknown) => Promise<{ workflowRun: { id: string } }>
}
type Client = {
  defineWorkflow: (
    spec: { name: string },
    run: (context: { input: number; step: Step }) => Promise<unknown>,
  ) => Definition
  newWorker: (options: { concurrency: number }) => {
    start: () => Promise<void>
    stop: () => Promise<void>
  }
}
type OpenWorkflowModule = { OpenWorkflow: new (options: { backend: Backend }) => Client }
type PostgresModule = { BackendPostgres: { connect: (connectionString: string) => Promise<Backend> } }
type Workflows = { noop: Definition; steps: Definition; parent: Definition }

const CONCURRENCY = 50
const CALLERS = 20

export const engine: Engine = {
  server: 'postgres',
  settings:
    `0.10.1; started by ${CALLERS} callers (there is no bulk call); concurrency ${CONCURRENCY}, its only knob; latency by the caller ` +
    'looking at the row every millisecond, since its own wait looks once a second',
  steps: 'durable steps of a workflow',
  // Its claims slow down with what waits.
  tasksAtMost: 2_000,
  open: openOpenWorkflow,
}

async function openOpenWorkflow(connectionString: string): Promise<Session> {
  const { OpenWorkflow } = await loadPeer<OpenWorkflowModule>('openworkflow')
  const { BackendPostgres } = await loadPeer<PostgresModule>('openworkflow/postgres')
  const backend = await BackendPostgres.connect(connectionString)
  const client = new OpenWorkflow({ backend })
  const tally = createTally()
  const { noop, steps, parent } = defineWorkflows(client, tally)
  const isDone = async (): Promise<boolean> => {
    const { pending = 0, running = 0 } = await backend.countWorkflowRuns()
    return pending + running === 0
  }
  const runToEnd = async (definition: Definition, input: number, pauseMs: number): Promise<void> => {
    const { workflowRun } = await definition.run(input)
    await until(async () => {
      const { status } = await backend.getWorkflowRun({ workflowRunId: workflowRun.id })
      if (status === 'failed' || status === 'canceled') {
        throw new Error(`A workflow of OpenWorkflow ended ${status}`)
      }
      return status === 'completed' || status === 'succeeded'
    }, pauseMs)
  }
  return {
    enqueue: async (count) => {
      await byCallers(CALLERS, count, async (index) => await noop.run(index))
    },
    startWorker: async () => {
      tally.reset()
      const worker = client.newWorker({ concurrency: CONCURRENCY })
      await worker.start()
      return {
        finished: async (count) => {
          await tally.reached(count)
          await until(isDone, 5)
        },
        stop: async () => await worker.stop(),
      }
    },
    roundTrip: async (index) => await runToEnd(noop, index, 1),
    runWorkflows: async (count, size) => {
      tally.reset()
      await byCallers(CALLERS, count, async () => await steps.run(size))
      await tally.reached(count)
      await until(isDone, 5)
    },
    fanOut: async (children) => await runToEnd(parent, children, 10),
    close: async () => await backend.stop(),
  }
}

function defineWorkflows(client: Client, tally: Tally): Workflows {
  const noop = client.defineWorkflow({ name: 'noop' }, ({ input }) => {
    tally.add(1)
    return Promise.resolve(input)
  })
  const steps = client.defineWorkflow({ name: 'steps' }, async ({ input, step }) => {
    for (let index = 0; index < input; index += 1) {
      await step.run({ name: `step${index}` }, () => Promise.resolve(index))
    }
    tally.add(1)
  })
  const parent = client.defineWorkflow({ name: 'parent' }, async ({ input, step }) => {
    const outputs = await Promise.all(
      Array.from({ length: input }, (_, index) =>
        step.runWorkflow(noop.workflow.spec, index, { name: `child${index}` }),
      ),
    )
    return outputs.length
  })
  return { noop, steps, parent }
}
