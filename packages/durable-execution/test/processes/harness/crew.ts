/** The worker processes of a round: started, killed, stopped and let go on, restarted. */

import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { type Disturbance } from './check.ts'
import { type Version } from './tasks.ts'
import { type WorkerOrders } from './orders.ts'

const WORKER = join(import.meta.dirname, 'worker.ts')
const STOP_MS = 30_000

/** A place for one worker; whoever sits in it runs the same version of the code. */
type Seat = { version: Version; worker: ChildProcess; isBusy: boolean }

export class Crew {
  readonly disturbances: Array<Disturbance> = []
  /** Which code each process ran. */
  readonly versions = new Map<number, Version>()
  readonly #orders: Omit<WorkerOrders, 'version'>
  readonly #seats: Array<Seat> = []
  readonly #onExit: () => void

  constructor(orders: Omit<WorkerOrders, 'version'>) {
    this.#orders = orders
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
    const workers = await Promise.all(versions.map((version) => this.#fork(version)))
    for (const [index, worker] of workers.entries()) {
      this.#seats.push({ version: versions[index] ?? 'old', worker, isBusy: false })
    }
  }

  /** A seat to which nothing is being done just now. */
  idleSeat(random: () => number): Seat | undefined {
    const idle = this.#seats.filter(({ isBusy }) => !isBusy)
    return idle[Math.floor(random() * idle.length)]
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
    this.#disturb('kill', pid)
    await end(seat.worker, 'SIGKILL')
  }

  /** Lets the worker end what it can in a moment, and starts another in its place. */
  async restart(seat: Seat): Promise<void> {
    await this.#replace(seat, 'restart', 'SIGTERM')
  }

  /** Stops the worker for so long, as a sleeping laptop would; it does not know. */
  async stall(seat: Seat, ms: number, touchesAll: boolean): Promise<void> {
    seat.isBusy = true
    const { worker } = seat
    this.#disturb('stall', touchesAll ? undefined : worker.pid)
    worker.kill('SIGSTOP')
    await pause(ms)
    worker.kill('SIGCONT')
    seat.isBusy = false
  }

  count(kind: Disturbance['kind']): number {
    return this.disturbances.filter((one) => one.kind === kind).length
  }

  noteDisconnect(): void {
    this.#disturb('disconnect', undefined)
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

  async #replace(seat: Seat, kind: 'kill' | 'restart', signal: NodeJS.Signals): Promise<void> {
    seat.isBusy = true
    this.#disturb(kind, seat.worker.pid)
    await end(seat.worker, signal)
    seat.worker = await this.#fork(seat.version)
    seat.isBusy = false
  }

  #disturb(kind: Disturbance['kind'], pid: number | undefined): void {
    this.disturbances.push({ kind, pid, at: Date.now() })
  }

  async #fork(version: Version): Promise<ChildProcess> {
    const orders: WorkerOrders = { ...this.#orders, version }
    const worker = fork(WORKER, [JSON.stringify(orders)], {
      execArgv: ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.versions.set(worker.pid ?? 0, version)
    await new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve())
      worker.once('error', reject)
      worker.once('exit', (code) => reject(new Error(`A worker ended with ${code} before it had started`)))
    })
    return worker
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
