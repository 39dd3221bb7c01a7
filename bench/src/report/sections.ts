/** The tables of the report, one for each test: which columns they have. */

import { type Amounts, type LimitedStorage } from '../job.ts'
import { type Metrics } from '../measure/metrics.ts'
import { type EngineName, type WorkloadName } from '../names.ts'
import { CHILDREN } from '../workloads/fan-out.ts'
import { CALLERS } from '../workloads/throughput.ts'
import { figure, figures, times } from './figure.ts'

export type Section = { title: string; columns: ReadonlyArray<Column> }
type Column = { title: string; cell: (metrics: Metrics, engine: EngineName) => string }

export const LIMIT_NAMES: Record<LimitedStorage, string> = {
  file: 'limit: node:sqlite alone',
  postgres: 'limit: pg alone',
}

const OTHERS: Column = {
  title: 'others, % of a core',
  cell: ({ othersPercent }) => figure(othersPercent),
}

export function sectionOf(
  test: WorkloadName,
  amounts: Amounts,
  stepsOf: (engine: EngineName) => string,
): Section {
  const count = (number: number): string => number.toLocaleString('en')
  switch (test) {
    case 'throughput':
      return throughput(amounts)
    case 'latency':
      return {
        title: 'Latency: one task from its enqueue to its awaited end, idle',
        columns: [
          one('p50 ms', 'p50Ms'),
          one('p95 ms', 'p95Ms'),
          one('two commits in turn, p50 ms', 'twoCommitsP50Ms'),
          { title: 'p50 ÷ that', cell: ({ p50Ms, twoCommitsP50Ms }) => times(p50Ms, twoCommitsP50Ms) },
          OTHERS,
        ],
      }
    case 'steps':
      return {
        title: 'Steps: workflows a second',
        columns: [
          one('3 steps', 'workflowsPerSec'),
          one('1 step', 'oneStepWorkflowsPerSec'),
          one('100 steps', 'hundredStepWorkflowsPerSec'),
          cost('a workflow of 3', 'nodeMicrosPerWorkflow', 'serverMicrosPerWorkflow'),
          { title: 'what runs', cell: (_metrics, engine) => stepsOf(engine) },
          OTHERS,
        ],
      }
    case 'fanout':
      return {
        title: `Fan-out: a parent, ${count(CHILDREN)} children, and what combines them`,
        columns: [one('seconds', 'seconds'), one('RSS MB', 'rssMb'), OTHERS],
      }
    case 'idle':
      return {
        title: `Idle for ${count(amounts.idleSeconds)} s`,
        columns: [
          one('transactions /s', 'idleTxPerSec'),
          one('statements a minute, in the driver', 'idleStatementsPerMinute'),
          one('change checks a minute', 'idleChangeChecksPerMinute'),
          one('node CPU %', 'idleNodeCpuPercent'),
          one('server CPU %', 'idleServerCpuPercent'),
          one('RSS MB', 'rssMb'),
          OTHERS,
        ],
      }
  }
}

function throughput({ tasks, warm }: Amounts): Section {
  const count = (number: number): string => number.toLocaleString('en')
  const isCold = warm === 0
  const cold = [
    one('cold: enqueue /s', 'coldEnqueuePerSec'),
    one('cold: process /s', 'coldProcessPerSec'),
    cost('a cold task', 'coldNodeMicrosPerTask', 'coldServerMicrosPerTask'),
    one('cold: RSS MB', 'coldRssMb'),
  ]
  return {
    title: isCold
      ? `Throughput, cold: ${count(tasks)} no-op tasks in a fresh process, fewer if slow`
      : `Throughput: ${count(tasks)} no-op tasks (fewer if slow), after ${count(warm)} to warm up, whose figures are the cold ones`,
    columns: [
      one('enqueue /s', 'enqueuePerSec'),
      one('process /s', 'processPerSec'),
      cost('a task', 'nodeMicrosPerTask', 'serverMicrosPerTask'),
      one('RSS MB', 'rssMb'),
      ...(isCold ? [] : cold),
      one(`enqueue /s by ${CALLERS} callers`, 'callersEnqueuePerSec'),
      one('tasks', 'tasks'),
      {
        title: 'enqueue ÷ limit',
        cell: ({ enqueuePerSec, limitEnqueuePerSec }) => times(enqueuePerSec, limitEnqueuePerSec),
      },
      {
        title: 'process ÷ limit',
        cell: ({ processPerSec, limitProcessPerSec }) => times(processPerSec, limitProcessPerSec),
      },
      OTHERS,
    ],
  }
}

function one(title: string, name: string): Column {
  return { title, cell: (metrics) => figure(metrics[name]) }
}

function cost(thing: string, node: string, server: string): Column {
  return {
    title: `CPU µs ${thing}, node + server`,
    cell: ({ [node]: nodeMicros, [server]: serverMicros }) => figures(nodeMicros, serverMicros, ' + '),
  }
}
