/** What one run has to write: gathered while the write before is under way, so that it has one write at a time. */

import { DurableExecutionError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { type DurableWrites, type NewChild, type Refusal } from '../../machine/event.ts'
import { type DurableChildTaskExecution } from '../../machine/execution.ts'
import { compensationMarkId, type NewRecord } from '../../machine/records.ts'
import { type Attempt, type WriteEvent } from '../run-attempt.ts'

/** How a write ended: as the rules say, or not at all, since the storage does not take the value. */
export type WriteResult = 'accepted' | Refusal | { error: unknown }

/** What the writer needs of the run. */
export type WriterDoors = {
  /** Writes it, and tells what became of it; the run goes on. */
  write: (event: WriteEvent, onWritten: (result: WriteResult) => void) => void
  /** The lease is not held any more. */
  lose: () => void
}

/** What the writer needs of the calls. */
export type WriterOwner = {
  /** Nothing is being written any more. */
  onIdle: () => void
  /** How many records were known before. */
  known: () => number
}

type Waiting = { resolve: () => void; reject: (error: unknown) => void }

/** What is to be written next. */
class Pending {
  readonly records: Array<NewRecord> = []
  readonly children: Array<NewChild> = []
  readonly waiting: Array<Waiting> = []
  /** Whether the list of children grows. */
  isListed = false
  hasCompensations = false
  state: DurableWrites['state']
}

export class Writer {
  readonly #attempt: Attempt
  readonly #doors: WriterDoors
  readonly #owner: WriterOwner
  readonly #childrenTasks: Array<DurableChildTaskExecution>
  #pending: Pending | undefined
  #isWriting = false
  #isMarked: boolean
  /** Whether this run has written a state. */
  #hasState = false
  #written = 0

  constructor(attempt: Attempt, doors: WriterDoors, owner: WriterOwner) {
    this.#attempt = attempt
    this.#doors = doors
    this.#owner = owner
    this.#childrenTasks = [...(attempt.row.childrenTasks ?? [])]
    this.#isMarked = attempt.row.hasCompensations === true
  }

  get isWriting(): boolean {
    return this.#isWriting
  }

  /** Remembers it along with what is written next; at the latest when the run is left. */
  add({ records = [], children = [] }: Partial<Pick<DurableWrites, 'records' | 'children'>>): void {
    this.#count(records.length + children.length)
    const pending = this.#next()
    pending.records.push(...records)
    pending.children.push(...children)
    this.#list(pending, children)
  }

  /** What is written where the record is written by itself, in another transaction. */
  recordAlone(record: NewRecord): DurableWrites {
    return { records: [record], children: [], childrenTasks: [], mayExist: false }
  }

  /** Throws if so many more cannot be remembered. */
  assertRoom(added: number): void {
    if (this.#owner.known() + this.#written + added > LIMITS.recordsPerExecution) {
      throw new DurableExecutionError(
        `Execution ${this.#attempt.row.executionId} remembers ${LIMITS.recordsPerExecution} steps, sleeps, waits and children, and cannot remember more ` +
          '(limit: recordsPerExecution). Do parts of the work in child executions, with ctx.runTask.',
        false,
      )
    }
  }

  /** So many more are remembered. */
  noteWritten(added: number): void {
    this.#written += added
  }

  /** Writes it, and resolves when it is committed; rejects if the storage does not take it. */
  write(record: NewRecord): Promise<void> {
    this.#count(1)
    const pending = this.#next()
    pending.records.push(record)
    return this.#send(pending)
  }

  /** Writes the state. */
  writeState(state: NonNullable<DurableWrites['state']>): Promise<void> {
    const pending = this.#next()
    pending.state = { ...state, isThere: state.isThere || pending.state?.isThere === true }
    return this.#send(pending)
  }

  /** Remembers that something is to be undone if the execution ends badly. */
  writeCompensation(record: NewRecord, prefix: string): Promise<void> {
    this.#count(1)
    const pending = this.#next()
    pending.records.push(record)
    if (!this.#isMarked && !pending.hasCompensations) {
      pending.hasCompensations = true
      const executionId = compensationMarkId(prefix)
      // Once for each execution: whoever closes it looks for that. An earlier run may have written it.
      pending.records.push({ executionId, kind: '#compensate', unless: executionId })
    }
    return this.#send(pending)
  }

  /** Writes now what waits to be written along. */
  flush(): void {
    if (!this.#isWriting && this.#pending !== undefined) {
      this.#isWriting = true
      this.#writeNext()
    }
  }

  /** What is left to be written, for the event that ends the run. */
  take(): DurableWrites {
    const pending = this.#next()
    this.#pending = undefined
    return this.#writesOf(pending)
  }

  #next(): Pending {
    this.#pending ??= new Pending()
    return this.#pending
  }

  #list(pending: Pending, children: ReadonlyArray<DurableChildTaskExecution>): void {
    if (children.length > 0) {
      pending.isListed = true
      this.#childrenTasks.push(...children.map(({ taskId, executionId }) => ({ taskId, executionId })))
    }
  }

  #send(pending: Pending): Promise<void> {
    return new Promise((resolve, reject) => {
      pending.waiting.push({ resolve, reject })
      if (!this.#isWriting) {
        this.#isWriting = true
        // What is asked for in one turn is written together.
        queueMicrotask(() => this.#writeNext())
      }
    })
  }

  #writeNext(): void {
    const pending = this.#pending
    if (pending === undefined) {
      this.#isWriting = false
      this.#owner.onIdle()
      return
    }
    this.#pending = undefined
    const { row, lease } = this.#attempt
    const writes = this.#writesOf(pending)
    const event = { kind: 'recorded' as const, executionId: row.executionId, lease, ...writes }
    this.#doors.write(event, (result) => this.#ended(pending, result))
  }

  #ended(pending: Pending, result: WriteResult): void {
    this.#note(pending)
    if (result === 'accepted') {
      this.#isMarked ||= pending.hasCompensations
      this.#hasState ||= pending.state !== undefined
    }
    for (const waiting of pending.waiting) {
      if (result === 'accepted') {
        waiting.resolve()
      } else if (typeof result === 'object') {
        waiting.reject(result.error)
      }
    }
    if (result === 'accepted' || typeof result === 'object') {
      this.#writeNext()
    } else {
      this.#doors.lose()
    }
  }

  #writesOf({ records, children, isListed, hasCompensations, state }: Pending): DurableWrites {
    const writes: DurableWrites = {
      records,
      children,
      childrenTasks: isListed ? [...this.#childrenTasks] : [],
      mayExist: false,
    }
    if (hasCompensations) {
      writes.hasCompensations = true
    }
    if (state !== undefined) {
      // An earlier write may have been accepted since it was asked for.
      writes.state = { ...state, isThere: state.isThere || this.#hasState }
    }
    return writes
  }

  /** The row as it was claimed says what there is to be done when the run ends. */
  #note({ isListed, hasCompensations }: Pending): void {
    const { row } = this.#attempt
    if (isListed) {
      row.childrenTasks = [...this.#childrenTasks]
      row.childrenTasksCount = this.#childrenTasks.length
    }
    if (hasCompensations && row.leaseId !== undefined) {
      row.hasCompensations = true
    }
  }

  #count(added: number): void {
    this.assertRoom(added)
    this.noteWritten(added)
  }
}
