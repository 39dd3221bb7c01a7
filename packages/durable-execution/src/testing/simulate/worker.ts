/** A worker of a simulation: a process with an executor, which dies, leaves, and is started again. */

import { type Millis } from '../../base/clock.ts'
import { type IdSource } from '../../base/ids.ts'
import { DurableExecutor } from '../../executor/executor.ts'
import { type DurableTaskRunContext } from '../../task/context.ts'
import { withDoors } from '../with-doors.ts'
import { connect, type Network } from './connection.ts'
import { type FlowRun, type FlowWitness } from './flow-witness.ts'
import { type Observer } from './observer.ts'
import { type SimPlan } from './plan.ts'
import { defineSimTasks, type SimTasks } from './sim-tasks.ts'
import { SimProcess } from './sim-process.ts'

/** What all processes of a simulation share. */
export type Stage = {
  plan: SimPlan
  network: Network
  observer: Observer
  witness: FlowWitness
  ids: IdSource
}

/** One life of a process with an executor. */
export type Life = {
  process: SimProcess
  executor: DurableExecutor
  tasks: SimTasks
  /** How many of its handles are waited for: those waits go on after a shutdown. */
  waits: number
}

const QUIET = { debug: (): void => {}, info: (): void => {}, error: (): void => {} }

/** Begins a process with an executor that is not started yet. */
export function beginLife(stage: Stage, name: string, offsetMs: Millis, knowsTrees: boolean): Life {
  const { plan, network, observer, witness, ids } = stage
  const { scheduler, chance } = network
  const process = new SimProcess(name, scheduler, chance, ids, offsetMs)
  const executor = new DurableExecutor(
    connect(network, process),
    withDoors(
      {
        logger: QUIET,
        expireMs: plan.expireMs,
        backgroundProcessIntraBatchSleepMs: plan.pollMs,
        maxConcurrentTaskExecutions: plan.slots,
      },
      process.doors,
    ),
  )
  const hands = {
    started: (executionId: string): void => {
      scheduler.note(`${name} starts ${executionId}`)
      observer.started(name, executionId)
    },
    begin: (ctx: DurableTaskRunContext): FlowRun => {
      const run = witness.begin(name, ctx)
      scheduler.note(`${name} starts ${run.runId}`)
      return run
    },
    pause: (ms: Millis): Promise<void> =>
      new Promise((resolve) => {
        // Not by its clock: a function that is abandoned goes on after its executor has shut down.
        scheduler.after(process.source, ms, 'a pause ends', resolve)
      }),
  }
  return { process, executor, tasks: defineSimTasks(executor, hands, knowsTrees), waits: 0 }
}

const RESTART_MS = 1_000

/** A place that is taken by one process after another. */
export class Worker {
  readonly #stage: Stage
  readonly #index: number
  readonly #knowsTrees: boolean
  #offsetMs: Millis
  #lives = 0
  #life: Life | undefined
  #isLeaving = false
  #isRetired = false
  readonly #restarts: ReturnType<Network['scheduler']['newSource']>

  constructor(stage: Stage, index: number, offsetMs: Millis, knowsTrees: boolean) {
    this.#stage = stage
    this.#index = index
    this.#offsetMs = offsetMs
    this.#knowsTrees = knowsTrees
    this.#restarts = stage.network.scheduler.newSource(`supervisor ${index}`)
  }

  /** Whoever is there now. */
  get life(): Life | undefined {
    return this.#life
  }

  start(): void {
    if (this.#life !== undefined || this.#isRetired) {
      return
    }
    this.#lives += 1
    const name = `w${this.#index}.${this.#lives}`
    const life = beginLife(this.#stage, name, this.#offsetMs, this.#knowsTrees)
    this.#life = life
    this.#isLeaving = false
    // One that cannot start, as the storage is away, is started again by whoever looks after it.
    life.executor.start().catch(() => {
      if (this.#life === life && !this.#isLeaving) {
        this.crash(RESTART_MS)
      }
    })
  }

  crash(downMs: Millis): void {
    this.#life?.process.die()
    this.#life = undefined
    this.#startIn(downMs)
  }

  standStill(ms: Millis): void {
    this.#life?.process.standStill(ms)
  }

  goOn(): void {
    this.#life?.process.goOn()
  }

  setClock(offsetMs: Millis): void {
    this.#offsetMs = offsetMs
    if (this.#life !== undefined) {
      this.#life.process.offsetMs = offsetMs
    }
  }

  /** Shuts down, and is started again after so long. */
  leave(graceMs: Millis | undefined, downMs: Millis): void {
    this.#shutDown(graceMs, downMs)
  }

  /** Shuts down for good. */
  retire(): void {
    this.#isRetired = true
    this.#shutDown(undefined, undefined)
  }

  #shutDown(graceMs: Millis | undefined, downMs: Millis | undefined): void {
    const life = this.#life
    if (life === undefined || this.#isLeaving) {
      return
    }
    this.#isLeaving = true
    const left = (): void => this.#left(life, downMs)
    // A process that stands still does this, too, only when it goes on.
    this.#stage.network.scheduler.after(life.process.source, 0, 'shutdown', () => {
      life.executor.shutdown({ graceMs }).then(left, left)
    })
  }

  #left(life: Life, downMs: Millis | undefined): void {
    if (this.#life !== life) {
      return
    }
    this.#life = undefined
    const left = life.process.pendingTimers
    // What the storage does not answer is waited for beyond the end; and so are handles.
    if (left > 0 && life.waits === 0 && downMs === undefined) {
      this.#stage.observer.violations.push({
        invariant: 'result',
        executionId: life.process.name,
        sentence: `it has shut down, and ${left} timers are left`,
      })
    }
    life.process.die()
    if (downMs !== undefined) {
      this.#startIn(downMs)
    }
  }

  #startIn(ms: Millis): void {
    this.#stage.network.scheduler.after(this.#restarts, ms, 'start', () => this.start())
  }
}
