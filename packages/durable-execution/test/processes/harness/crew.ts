/** The worker processes of a round: started, killed, stopped and let go on, restarted; they come and go. */

import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { type Disturbance, type DisturbanceKind } from './check.ts'
import { type Version } from './tasks.ts'
import { type WorkerOrders } from './orders.ts'

const WORKER = join(import.meta.dirname, 'worker.ts')
const STOP_MS = 30_000

/** A place for one worker, and the version of the code that is run there. */
type Seat = { version: Version; worker: ChildProcess; isBusy: boolean }

export type CrewOrders = Omit<WorkerOrders, 'version' | 'clockOffsetMs'>

export class Crew {
  readonly disturbances: Array<Disturbance> = []
  /** Which code each process ran. */
  readonly versions = new Map<number, Version>()
  /** How far ahead each process's clock was. */
  readonly offsets = new Map<number, number>()
  readonly #orders: CrewOrders
  readonly #drawOffset: () => number
  readonly #seats: Array<Seat> = []
  readonly #onExit: () => void

  constructor(orders: CrewOrders, drawOffset: () => number = () => 0) {
    this.#orders = orders
    this.#drawOffset = drawOffset
    // A worker that stands still would not notice that whoever started it has ended.
    this.#onExit = () => {
      for (const { worker } of this.#seats) {
        worker.kill('SIGKILL')
      }
    }
    process.once('exit', this.#onExit)
  }

  /** Starts so many, half of them with the old code. */
  async start(count: number): Promise<void> {
    const versions = Array.from({ length: count }, (_, index): Version => (index % 2 === 0 ? 'old' : 'new'))
    await Promise.all(versions.map((version) => this.#seat(version)))
  }

  get size(): number {
    return this.#seats.length
  }

  /** Whether nothing is being done just now to at least half of the seats. */
  get isMostlyUp(): boolean {
    return this.#seats.filter(({ isBusy }) => !isBusy).length * 2 >= this.#seats.length
  }

  /** A seat to which nothing is being done just now. */
  idleSeat(random: () => number): Seat | undefined {
    const idle = this.#seats.filter(({ isBusy }) => !isBusy)
    return idle[Math.floor(random() * idle.length)]
  }

  /** Whether its version is run by somebody else too, so that it may go. */
  isReplaceable(seat: Seat): boolean {
    return this.#seats.filter(({ version }) => version === seat.version).length > 1
  }

  /** Kills the worker, as the lack of memory would, and starts another in its place. */
  async kill(seat: Seat): Promise<void> {
    await this.#replace(seat, 'kill', 'SIGKILL')
  }

  /** Kills that process, and leaves its seat empty. */
  async killForGood(pid: number): Promise<void> {
    const seat = this.#seats.find(({ worker }) => worker.pid === pid)
    if (seat === undefined) {
      throw new Error(`No worker has the process id ${pid}`)
    }
    seat.isBusy = true
    this.note('kill', pid)
    await end(seat.worker, 'SIGKILL')
  }

  /** Lets the worker end what it can in a moment, and starts another in its place. */
  async restart(seat: Seat): Promise<void> {
    await this.#replace(seat, 'restart', 'SIGTERM')
  }

  /** Restarts the worker with the other version of the code. */
  async deploy(seat: Seat): Promise<void> {
    seat.version = seat.version === 'old' ? 'new' : 'old'
    await this.#replace(seat, 'deploy', 'SIGTERM')
  }

  /** Another worker comes. */
  async join(version: Version): Promise<void> {
    this.note('join', undefined)
    await this.#seat(version)
  }

  /** The worker ends what it can in a moment, and nobody takes its place. */
  async leave(seat: Seat): Promise<void> {
    seat.isBusy = true
    this.#seats.splice(this.#seats.indexOf(seat), 1)
    this.note('leave', seat.worker.pid)
    expectGoodEnd(await end(seat.worker, 'SIGTERM'))
  }

  /** Stops the worker for so long, as a sleeping laptop would; it does not know. */
  async stall(seat: Seat, ms: number, touchesAll: boolean): Promise<void> {
    seat.isBusy = true
    const { worker } = seat
    const stall = this.note('stall', touchesAll ? undefined : worker.pid)
    worker.kill('SIGSTOP')
    await pause(ms)
    worker.kill('SIGCONT')
    stall.until = Date.now()
    seat.isBusy = false
  }

  count(kind: DisturbanceKind): number {
    return this.disturbances.filter((one) => one.kind === kind).length
  }

  /** Takes down what is done to the process, or to all of them. It begins now; when it ends is for the caller to say. */
  note(kind: DisturbanceKind, pid: number | undefined): Disturbance {
    const at = Date.now()
    const disturbance = { kind, pid, at, until: at }
    this.disturbances.push(disturbance)
    return disturbance
  }

  /** Ends all, gracefully; gives the exit codes that are not 0. */
  async stop(): Promise<Array<number | string>> {
    const codes = await Promise.all(this.#seats.map(({ worker }) => end(worker, 'SIGTERM')))
    return codes.filter((code) => code !== 0)
  }

  /** Ends at once whoever is left. */
  async killAll(): Promise<void> {
    process.off('exit', this.#onExit)
    await Promise.all(this.#seats.map(({ worker }) => end(worker, 'SIGKILL')))
  }

  async #seat(version: Version): Promise<void> {
    const worker = this.#fork(version)
    const seat = { version, worker, isBusy: true }
    this.#seats.push(seat)
    await started(worker)
    seat.isBusy = false
  }

  async #replace(seat: Seat, kind: DisturbanceKind, signal: NodeJS.Signals): Promise<void> {
    seat.isBusy = true
    this.note(kind, seat.worker.pid)
    const code = await end(seat.worker, signal)
    if (signal === 'SIGTERM') {
      expectGoodEnd(code)
    }
    seat.worker = this.#fork(seat.version)
    await started(seat.worker)
    seat.isBusy = false
  }

  #fork(version: Version): ChildProcess {
    const clockOffsetMs = this.#drawOffset()
    const orders: WorkerOrders = { ...this.#orders, version, clockOffsetMs }
    const worker = fork(WORKER, [JSON.stringify(orders)], {
      execArgv: ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.versions.set(worker.pid ?? 0, version)
    this.offsets.set(worker.pid ?? 0, clockOffsetMs)
    return worker
  }
}

async function started(worker: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve())
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`A worker ended with ${code} before it had started`)))
  })
}

function expectGoodEnd(code: number | string): void {
  if (code !== 0) {
    throw new Error(`A worker that was told to stop ended with ${code}`)
  }
}

/** Resolves with how it ended. One that does not end in time is killed. */
async function end(worker: ChildProcess, signal: NodeJS.Signals): Promise<number | string> {
  if (worker.exitCode === null && worker.signalCode === null) {
    const ended = new Promise((resolve) => {
      worker.once('exit', resolve)
    })
    worker.kill(signal)
    const timer = setTimeout(() => worker.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(timer)
  }
  return worker.exitCode ?? worker.signalCode ?? ''
}
