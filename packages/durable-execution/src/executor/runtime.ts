/** What an executor is made of, put together: the storage's clock, who works, who waits, and who hears of what changed. */

import { createReasonedCancelSignal } from '../base/cancel.ts'
import { endsWithin, type Millis } from '../base/clock.ts'
import { TimeLimits } from '../base/time-limits.ts'
import { RecordReader } from './durable/record-reader.ts'
import { type SentSignal, sendSignal } from '../store/signal.ts'
import { DurableExecutionError } from '../base/errors.ts'
import { LIMITS } from '../base/limits.ts'
import { ChangeFeed } from '../client/change-feed.ts'
import { type HandleDoors } from '../client/handle.ts'
import { Neighbours } from '../client/neighbours.ts'
import { RowReader } from '../client/reader.ts'
import { Waiters } from '../client/waiters.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { type DurableStorage, type DurableStorageChangeHint } from '../storage/contract.ts'
import { cancelByUser } from '../store/cancel.ts'
import { type Effects } from '../store/effects.ts'
import { Inserter } from '../store/insert.ts'
import { insertUnlessThere, type KeyedRows } from '../store/keyed.ts'
import { insertRows } from '../store/rows.ts'
import { createShare } from '../store/share.ts'
import { createTransact, withUserTries } from '../store/transact.ts'
import { createPlans } from '../task/plan.ts'
import { TaskRegistry } from '../task/registry.ts'
import { Closer } from './closer.ts'
import { type Engine } from './engine.ts'
import { type DurableExecutorHealth, Health } from './health.ts'
import { type ResolvedExecutorOptions } from './options.ts'
import { StorageClock } from './storage-clock.ts'
import { Telling } from './telling.ts'
import { Worker } from './worker.ts'

export class Runtime {
  readonly engine: Engine
  readonly #health: Health
  readonly #clock: StorageClock
  readonly #closer: Closer
  readonly #inserter: Inserter
  readonly handleDoors: HandleDoors
  readonly #feed: ChangeFeed
  readonly #neighbours: Neighbours
  readonly #telling: Telling
  readonly worker: Worker
  readonly #storage: DurableStorage
  readonly #cancelRuns: () => void
  #isStopping = false
  /** Until then it looks often: something may be committed that nobody hints at. */
  #looksOftenUntil: Millis = 0

  constructor(storage: DurableStorage, resolved: ResolvedExecutorOptions) {
    const { doors, logger, serializer } = resolved
    this.#storage = storage
    this.#health = new Health(doors.clock, resolved.expireMs)
    this.#clock = new StorageClock(storage, doors.clock, resolved.expireMs)
    const registry = new TaskRegistry()
    const limits = new TimeLimits(doors.clock)
    const transact = createTransact(storage, limits, this.#health)
    limits.linger(false)
    this.engine = {
      executorId: doors.ids.newId(),
      options: resolved,
      doors,
      logger,
      serializer,
      registry,
      limits,
      transact,
      share: createShare(storage, doors.clock, this.#health),
      store: {
        now: () => this.#clock.now(),
        newExecutionId: doors.ids.newExecutionId,
        newLeaseId: doors.ids.newId,
        planOf: createPlans(registry, resolved.serializer),
      },
      knowTime: () => (this.#clock.isUnknown ? this.#clock.refresh() : undefined),
      pollMs: () => this.#pollMs(),
      tell: (effects) => this.#tell(effects),
    }
    this.#closer = new Closer(this.engine, () => this.worker.leftOpen())
    this.#inserter = new Inserter(transact, doors, {
      claimEarly: (rows) => this.worker.earlyStart.claim(rows),
      tell: (effects) => this.#tell(effects),
    })
    const waiters = new Waiters(doors.clock, (count) => this.#feed.want('waiters', count > 0))
    this.handleDoors = {
      reader: new RowReader(transact, doors),
      waiters,
      isRunHere: (executionId) => this.worker.runsHere(executionId),
      serializer,
      cancel: (executionId) => this.#cancel(executionId),
    }
    this.#neighbours = new Neighbours(storage, (effects) => {
      waiters.told(effects.finishedIds, effects.finishedRows)
      this.worker.told(effects)
    })
    this.#telling = new Telling(storage, doors.clock, logger)
    const onHint = ({ executionIds }: DurableStorageChangeHint): void => {
      if (executionIds === undefined) {
        waiters.toldAll()
      } else {
        waiters.told(executionIds)
      }
      this.worker.hinted()
    }
    this.#feed = new ChangeFeed(storage, logger, onHint, (isWanted) => this.#neighbours.listen(isWanted))
    const [shutdownSignal, cancelRuns] = createReasonedCancelSignal({ logger })
    this.#cancelRuns = cancelRuns
    this.worker = new Worker(this.engine, storage, this.#closer, this.#health, shutdownSignal, {
      records: new RecordReader(transact),
      onTold: (executionIds, fn) => waiters.subscribe(executionIds, fn),
    })
  }

  /** Writes a new execution, and tells who may run it. Callers of one moment share a transaction. */
  async insert(row: ExecutionRow, keyed?: KeyedRows): Promise<void> {
    await this.#inserter.insert(row, keyed)
    this.#health.onRoom()
  }

  /** Writes new executions, all or none, and tells who may run them. */
  async insertTogether(rows: ReadonlyArray<ExecutionRow>, keyed?: KeyedRows): Promise<void> {
    await this.#inserter.insertTogether(rows, keyed)
    if (rows.length > 0) {
      this.#health.onRoom()
    }
  }

  /** Writes new executions in a transaction of the user's. Who may run them hears of it from the storage. */
  async insertIn(transaction: object, rows: ReadonlyArray<ExecutionRow>, keyed?: KeyedRows): Promise<void> {
    if (this.#storage.joinTransaction === undefined) {
      throw new DurableExecutionError(
        'Option transaction is not supported by this storage. Leave it out, or use one that shares your database.',
        false,
      )
    }
    const tx = await this.#storage.joinTransaction(transaction)
    // Tried once: after an error only its owner can say what becomes of the transaction.
    await (keyed === undefined ? insertRows(tx, rows) : insertUnlessThere(tx, rows, keyed))
    this.#looksOftenUntil = this.engine.doors.clock.monotonicNow() + LIMITS.joinedMs
    this.worker.hinted()
  }

  health(): DurableExecutorHealth {
    const { pollMs, expireMs } = this.engine.options
    return this.#health.report({
      loops: this.worker.loops(),
      pollMs,
      expireMs,
      clockOffsetMs: this.#clock.offsetMs,
      stuck: this.worker.stuck(),
    })
  }

  /** Reads the storage's clock, as far as it can be had, before anything is timed by it. */
  async prepareToStart(): Promise<void> {
    await this.#clock.refresh().catch((error: unknown) => {
      this.engine.logger.error("The storage's clock could not be read yet", error)
    })
  }

  start(): void {
    this.#works(true)
    this.worker.start(async () => {
      this.#feed.retry()
      await this.#clock.refresh()
    })
    this.#feed.want('worker', true)
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true
    this.#works(false)
    this.#cancelRuns()
    await this.worker.stop(graceMs)
    this.#telling.flush()
    this.#feed.want('worker', false)
    await endsWithin(this.engine.doors.clock, this.#feed.settled(), LIMITS.unlistenMs)
  }

  /** While it works there are calls all the time, and the process is kept alive; before and after nothing of it is left when nobody waits. */
  #works(isWorking: boolean): void {
    this.engine.limits.linger(isWorking)
    this.handleDoors.waiters.processIsAlive(isWorking)
  }

  #pollMs(): Millis {
    const { options, doors } = this.engine
    const isHinted =
      this.#feed.isListening && !options.isPollGiven && doors.clock.monotonicNow() >= this.#looksOftenUntil
    if (!isHinted) {
      return options.pollMs
    }
    // Hints that others must send may die with them; those that the storage sees by itself do not.
    return this.#storage.notifyChange === undefined ? LIMITS.seenPollMs : LIMITS.toldPollMs
  }

  /** A client's clock may be wrong by hours, and what it enqueues is due by the storage's. */
  knowTime(): Promise<void> | undefined {
    const { clock, random } = this.engine.doors
    return this.#clock.isUnknown
      ? withUserTries(async () => await this.#clock.refresh(), clock, random)
      : undefined
  }

  /** Sends a signal to an execution. */
  async signal(signal: Omit<SentSignal, 'token'>): Promise<void> {
    const { transact, store, doors } = this.engine
    await this.knowTime()
    // A try whose reply was lost may have sent it: it is known again by its token.
    const sent = { ...signal, token: doors.ids.newId() }
    const effects = await withUserTries(
      async (tries) => await sendSignal(transact, sent, store, tries > 1),
      doors.clock,
      doors.random,
    )
    this.#tell(effects)
  }

  async #cancel(executionId: string): Promise<boolean> {
    const { transact, store, doors } = this.engine
    await this.knowTime()
    const tried = new Set<number>()
    const { cancelledIds, effects } = await withUserTries(
      async () => await cancelByUser(transact, executionId, store, tried),
      doors.clock,
      doors.random,
    )
    this.#tell(effects)
    if (!this.worker.isStarted || this.#isStopping) {
      // Nobody may be there to close it, and this process may end any moment.
      await this.#closer.drained()
    }
    return cancelledIds.length > 0
  }

  #tell(effects: Effects): void {
    this.handleDoors.waiters.told(effects.finishedIds, effects.finishedRows)
    this.worker.told(effects)
    if (effects.open.length > 0) {
      this.#closer.add(effects.open)
    }
    this.#neighbours.tell(effects)
    this.#telling.tell(effects, this.#isUrgent(effects))
  }

  /** Whether somebody elsewhere may be waiting for what changed. */
  #isUrgent({ readyAtMs, finishedIds, cancelledRunningIds }: Effects): boolean {
    const isDueElsewhere = readyAtMs !== undefined && (this.#isStopping || !this.worker.hasRoom)
    const { waiters } = this.handleDoors
    return (
      isDueElsewhere || cancelledRunningIds.length > 0 || !finishedIds.every((id) => waiters.isAwaited(id))
    )
  }
}
