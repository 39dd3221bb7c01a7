/** Plays one plan: the real executors, several of them, over a simulated storage, in simulated time. */

import { LIMITS } from '../../base/limits.ts'
import { type Millis } from '../../base/clock.ts'
import { chanceOf } from './chance.ts'
import { Clients } from './clients.ts'
import { FAIR_WEATHER, type Network, type Weather } from './connection.ts'
import { judgeFlows } from './flow-verdict.ts'
import { FlowWitness } from './flow-witness.ts'
import { Observer, type SimViolation } from './observer.ts'
import { type SimDeed, describeDeed, type SimPlan } from './plan.ts'
import { Scheduler } from './scheduler.ts'
import { SimServer } from './server.ts'
import { createSimIds, EPOCH_MS } from './sim-process.ts'
import { SimSignals } from './sim-signals.ts'
import { judge, unsettled } from './verdict.ts'
import { beginLife, type Life, type Stage, Worker } from './worker.ts'

/**
 * What came of a simulation.
 *
 * @category Testing
 */
export type SimResult = {
  /** How many things happened. */
  events: number
  /** Two runs share it only if the same happened in the same order at the same moments. */
  traceHash: number
  executions: number
  commits: number
  violations: Array<SimViolation>
}

// Longer than anything that the engine waits for by itself.
const SETTLE_MS = 6_000_000
const LOOK_EVERY_MS = 1_000
// A full disk is told of for ten seconds after it was.
const AFTERWARDS_MS = 12_000

/** Plays the plan; `keep` is given a line for each thing that happens. */
export async function play(plan: SimPlan, keep?: (line: string) => void): Promise<SimResult> {
  return await new Simulation(plan, keep).play()
}

class Simulation {
  readonly #plan: SimPlan
  readonly #scheduler: Scheduler
  readonly #network: Network
  readonly #server: SimServer
  readonly #observer: Observer
  readonly #workers: ReadonlyArray<Worker>
  readonly #client: Life
  readonly #stage: Stage
  readonly #clients: Clients
  readonly #witness: FlowWitness
  readonly #signals: SimSignals
  #commits = 0
  #weathers: Array<Partial<Weather>> = []

  constructor(plan: SimPlan, keep?: (line: string) => void) {
    const chance = chanceOf(`${plan.seed}/play`)
    this.#plan = plan
    this.#scheduler = new Scheduler(chance.branch('order'), keep)
    this.#server = new SimServer(plan.storage.keepsOwnFields)
    // Whoever does not know a task gives up nothing of it, however often it was lost.
    const mostLosses = plan.workers.every(({ knowsTrees }) => knowsTrees) ? LIMITS.losses : Infinity
    this.#observer = new Observer({
      now: () => this.#scheduler.now,
      toleranceMs: plan.expireMs / 3,
      maxLosses: plan.storage.keepsOwnFields ? mostLosses : undefined,
    })
    this.#server.onCommit = (commit) => {
      this.#commits += 1
      this.#scheduler.note(`committed by ${commit.by}: ${commit.changedIds.join(' ')}`)
      this.#observer.committed(commit)
    }
    this.#network = {
      scheduler: this.#scheduler,
      server: this.#server,
      chance: chance.branch('network'),
      weather: { ...FAIR_WEATHER },
      kind: plan.storage,
      listeners: new Set(),
    }
    this.#witness = new FlowWitness({
      rows: () => this.#server.rows,
      holderOf: (executionId) => this.#observer.holderOf(executionId),
      started: (by, executionId) => this.#observer.started(by, executionId),
      now: () => EPOCH_MS + this.#scheduler.now,
      toleranceMs: plan.expireMs / 3,
      report: (executionId, sentence) => this.#report('code', executionId, sentence),
    })
    this.#stage = {
      plan,
      network: this.#network,
      observer: this.#observer,
      witness: this.#witness,
      ids: createSimIds(),
    }
    this.#signals = new SimSignals(() => this.#server.rows)
    this.#clients = new Clients(this.#stage)
    this.#client = beginLife(this.#stage, 'client', 0, true)
    this.#workers = plan.workers.map(
      ({ offsetMs, knowsTrees }, index) => new Worker(this.#stage, index, offsetMs, knowsTrees),
    )
  }

  async play(): Promise<SimResult> {
    const deeds = this.#scheduler.newSource('plan')
    for (const deed of this.#plan.deeds) {
      this.#scheduler.after(deeds, deed.at, describeDeed(deed), () => this.#do(deed))
    }
    for (const worker of this.#workers) {
      worker.start()
    }
    await this.#runUntil(this.#plan.calmAtMs)
    if (this.#observer.violations.length === 0) {
      await this.#comeToAnEnd()
    }
    return {
      events: this.#scheduler.steps,
      traceHash: this.#scheduler.traceHash,
      executions: this.#server.rows.size,
      commits: this.#commits,
      violations: this.#observer.violations,
    }
  }

  /** Until then, or until a promise is broken. */
  async #runUntil(until: Millis): Promise<void> {
    while (this.#observer.violations.length === 0 && (await this.#scheduler.step(until))) {
      // One after the other.
    }
    this.#scheduler.now = Math.max(this.#scheduler.now, this.#observer.violations.length === 0 ? until : 0)
  }

  /** Nothing goes wrong any more: everything has to come to its end, and to be right. */
  async #comeToAnEnd(): Promise<void> {
    this.#server.isFull = false
    Object.assign(this.#network.weather, FAIR_WEATHER)
    this.#weathers = []
    for (const worker of this.#workers) {
      worker.goOn()
      worker.start()
    }
    // What was slow on its way, and what a worker that stood still was asked to enqueue, appears only now.
    await this.#runUntil(this.#scheduler.now + AFTERWARDS_MS + this.#slowestMs())
    const lastMs = this.#scheduler.now + SETTLE_MS
    while (
      this.#observer.violations.length === 0 &&
      unsettled(this.#server.rows.values()).length > 0 &&
      this.#scheduler.now < lastMs
    ) {
      await this.#runUntil(this.#scheduler.now + LOOK_EVERY_MS)
      this.#signals.answer(this.#client, this.#witness.unanswered())
    }
    if (this.#observer.violations.length > 0) {
      return
    }
    for (const sentence of unsettled(this.#server.rows.values()).slice(0, 5)) {
      this.#report('L5', '', `${SETTLE_MS} ms after the last trouble ${sentence}`)
    }
    await this.#runUntil(this.#scheduler.now + AFTERWARDS_MS)
    const { acknowledged, cancelAsked, cancelAnswers, cancelledBelow, keyed } = this.#clients
    const toleranceMs = this.#plan.expireMs / 3
    this.#observer.violations.push(
      ...judge(this.#server.rows, { acknowledged, cancelAsked, cancelAnswers, cancelledBelow, toleranceMs }),
      ...judgeFlows(this.#server.rows, { sent: this.#signals.sent, keyed }),
    )
    this.#checkWaits()
    this.#checkHealth()
    if (this.#observer.violations.length === 0) {
      await this.#shutDown()
    }
  }

  /** What was sent before the end of the troubles may be that long on its way. */
  #slowestMs(): Millis {
    const slow = this.#plan.deeds.map((deed) => (deed.what === 'weather' ? (deed.weather.slowMs ?? 0) : 0))
    return Math.max(0, ...slow)
  }

  /** Whoever waited, and still lives, was told how it ended. */
  #checkWaits(): void {
    for (const { executionId, life, end } of this.#clients.waited) {
      const row = this.#server.rows.get(executionId)
      if (!life.process.isAlive) {
        continue
      }
      if (end === undefined) {
        this.#report('L5', executionId, 'it has ended, and whoever waits for it was not told')
      } else if (end.status !== row?.status) {
        this.#report('result', executionId, `its waiter was told ${end.status}, and it is ${row?.status}`)
      }
    }
  }

  #checkHealth(): void {
    for (const { life } of this.#workers) {
      // That its clock is off is true, where the plan says so.
      const problems = life?.executor.health().problems.filter((problem) => !problem.startsWith('The clock'))
      for (const problem of problems ?? []) {
        this.#report('L5', life?.process.name ?? '', `all is well, and its health says: ${problem}`)
      }
    }
  }

  async #shutDown(): Promise<void> {
    for (const worker of this.#workers) {
      worker.retire()
    }
    await this.#runUntil(this.#scheduler.now + LOOK_EVERY_MS * 60)
    for (const { life } of this.#workers) {
      if (life !== undefined) {
        this.#report('L5', life.process.name, 'nothing runs, and it did not shut down within a minute')
      }
    }
  }

  #report(invariant: SimViolation['invariant'], executionId: string, sentence: string): void {
    this.#observer.violations.push({ invariant, executionId, sentence })
  }

  #do(deed: SimDeed): void {
    switch (deed.what) {
      case 'enqueue':
        this.#clients.enqueue(this.#whoEnqueues(deed), deed)
        return
      case 'cancel':
        this.#clients.cancel(deed.id)
        return
      case 'cancelBelow':
        this.#clients.cancelBelow(this.#client, deed.id, deed.nth, this.#server.rows)
        return
      case 'signal': {
        const rootId = this.#clients.executionOf(deed.id)
        if (rootId !== undefined) {
          this.#signals.sendToTree(this.#client, rootId, deed)
        }
        return
      }
      case 'crash':
        this.#worker(deed.worker)?.crash(deed.downMs)
        return
      case 'stall':
        this.#worker(deed.worker)?.standStill(deed.ms)
        return
      case 'jump':
        this.#worker(deed.worker)?.setClock(deed.toMs)
        return
      case 'leave':
        this.#worker(deed.worker)?.leave(deed.graceMs, deed.downMs)
        return
      case 'weather':
        this.#weathers.push(deed.weather)
        this.#later(deed.ms, () => this.#weathers.splice(this.#weathers.indexOf(deed.weather), 1))
        this.#blow()
        return
      case 'full':
        this.#server.isFull = true
        this.#later(deed.ms, () => {
          this.#server.isFull = false
        })
    }
  }

  #worker(index: number): Worker | undefined {
    return this.#workers[index]
  }

  /** All weathers at once: the worst of each kind. */
  #blow(): void {
    Object.assign(this.#network.weather, FAIR_WEATHER)
    for (const weather of this.#weathers) {
      for (const [name, value] of Object.entries(weather)) {
        const kind = name as keyof Weather
        this.#network.weather[kind] = Math.max(this.#network.weather[kind], value)
      }
    }
  }

  #later(ms: Millis, what: () => void): void {
    const source = this.#scheduler.newSource('plan')
    this.#scheduler.after(source, ms, 'it is over', () => {
      this.#scheduler.remove(source)
      what()
      this.#blow()
    })
  }

  /** A client that never starts, or one of the workers. */
  #whoEnqueues({ id, many }: Extract<SimDeed, { what: 'enqueue' }>): Life {
    const life = id % 2 === 0 ? undefined : this.#worker(id % this.#workers.length)?.life
    const knowsAll = many.every((work) => life?.tasks.taskFor(work) !== undefined)
    return life !== undefined && knowsAll ? life : this.#client
  }
}
