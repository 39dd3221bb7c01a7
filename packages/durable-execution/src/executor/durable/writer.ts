/** What one run has to write: gathered while the write before is under way, so that it has one write at a time. */

import { DurableExecutionError } from '../../base/errors.ts'
import { LIMITS } from '../../base/limits.ts'
import { type DurableWrites, type NewChild, type Refusal } from '../../machine/event.ts'
import { type DurableChildTaskExecution } from '../../machine/execution.ts'
import { compensationMarkId, idPrefix, type NewRecord } from '../../machine/records.ts'
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

/** What one call has to write. */
type Part = {
  records: ReadonlyArray<NewRecord>
  children: ReadonlyArray<NewChild>
  /** Whether the record is of something that is to be undone. */
  isCompensation?: boolean
  state?: NonNullable<DurableWrites['state']>
  /** Whoever waits for it; nobody where it is written along. */
  waiting?: { resolve: () => void; reject: (error: unknown) => void }
}

export class Writer {
  readonly #attempt: Attempt
  readonly #doors: WriterDoors
  readonly #owner: WriterOwner
  /** Those that it has asked for. One that is not there harms nobody; one that is there and not in the list is forgotten. */
  readonly #childrenTasks: Array<DurableChildTaskExecution>
  /** Their ids; made when there is something to be listed. */
  #listedIds: Set<string> | undefined
  /** What is to be written next, together. */
  #pending: Array<Part> = []
  /** What was refused together, and is written one by one: what one call wants fails no other. */
  #oneByOne: Array<Part> = []
  /** What is refused though nobody waits for it: the run fails where it would be left to wait. */
  readonly #refused: Array<Part> = []
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

  /** Whether there are children of whom nothing is written yet. */
  get hasNewChildren(): boolean {
    return hasChildren(this.#pending) || hasChildren(this.#oneByOne)
  }

  /** Remembers it along with what is written next; at the latest when the run is left. */
  add({ records = [], children = [] }: Partial<Pick<DurableWrites, 'records' | 'children'>>): void {
    this.#count(records.length + children.length)
    if (records.length + children.length > 0) {
      this.#pending.push({ records, children })
      if (children.length > 0) {
        this.#list(children)
      }
    }
  }

  #list(children: ReadonlyArray<NewChild>): void {
    const listedIds = (this.#listedIds ??= new Set(this.#childrenTasks.map(({ executionId }) => executionId)))
    for (const { taskId, executionId } of children) {
      // An earlier run may have listed it, and have ended before it was written.
      if (!listedIds.has(executionId)) {
        listedIds.add(executionId)
        this.#childrenTasks.push({ taskId, executionId })
      }
    }
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
    return this.#send({ records: [record], children: [] })
  }

  /** Writes the state. */
  writeState(state: NonNullable<DurableWrites['state']>): Promise<void> {
    return this.#send({ records: [], children: [], state })
  }

  /** Remembers that something is to be undone if the execution ends badly. */
  writeCompensation(record: NewRecord): Promise<void> {
    this.#count(1)
    return this.#send({ records: [record], children: [], isCompensation: true })
  }

  /** Writes now what waits to be written along. */
  flush(): void {
    if (!this.#isWriting && this.#pending.length > 0) {
      this.#isWriting = true
      this.#writeNext()
    }
  }

  /** What is left to be written, for the event that ends the run. */
  take(): DurableWrites {
    return this.#writesOf([...this.#pending.splice(0), ...this.#refused], this.#refused.length > 0)
  }

  #send(part: Part): Promise<void> {
    return new Promise((resolve, reject) => {
      part.waiting = { resolve, reject }
      this.#pending.push(part)
      if (!this.#isWriting) {
        this.#isWriting = true
        // What is asked for in one turn is written together.
        queueMicrotask(() => this.#writeNext())
      }
    })
  }

  #writeNext(): void {
    const isAgain = this.#oneByOne.length > 0
    const parts = isAgain ? this.#oneByOne.splice(0, 1) : this.#pending
    if (parts.length === 0) {
      this.#isWriting = false
      this.#owner.onIdle()
      return
    }
    if (!isAgain) {
      this.#pending = []
    }
    const { row, lease } = this.#attempt
    const writes = this.#writesOf(parts, isAgain)
    const event = { kind: 'recorded' as const, executionId: row.executionId, lease, ...writes }
    this.#doors.write(event, (result) => this.#ended(parts, result))
  }

  #ended(parts: ReadonlyArray<Part>, result: WriteResult): void {
    this.#note(parts)
    if (result === 'accepted') {
      this.#accepted(parts)
    } else if (typeof result === 'object') {
      this.#notTaken(parts, result.error)
    } else {
      this.#doors.lose()
      return
    }
    this.#writeNext()
  }

  /** The row as it was claimed says what there is to be done when the run ends. What was refused may be there all the same. */
  #note(parts: ReadonlyArray<Part>): void {
    const { row } = this.#attempt
    if (hasChildren(parts)) {
      row.childrenTasks = [...this.#childrenTasks]
      row.childrenTasksCount = this.#childrenTasks.length
    }
    if (hasCompensation(parts) && row.leaseId !== undefined) {
      row.hasCompensations = true
    }
  }

  #accepted(parts: ReadonlyArray<Part>): void {
    this.#isMarked ||= hasCompensation(parts)
    this.#hasState ||= parts.some(({ state }) => state !== undefined)
    for (const { waiting } of parts) {
      waiting?.resolve()
    }
  }

  /** The storage does not take it, though it takes other things. */
  #notTaken(parts: ReadonlyArray<Part>, error: unknown): void {
    const [part] = parts
    if (parts.length > 1) {
      this.#oneByOne.push(...parts)
    } else if (part?.waiting === undefined) {
      this.#refused.push(...parts)
    } else {
      part.waiting.reject(error)
    }
  }

  #writesOf(parts: ReadonlyArray<Part>, mayExist: boolean): DurableWrites {
    const [first] = parts
    if (parts.length === 1 && first?.state === undefined && first?.isCompensation === undefined) {
      // One step after the other is what most code does, and lists of lists cost half a microsecond.
      const { records = [], children = [] } = first ?? {}
      return {
        records,
        children,
        childrenTasks: children.length > 0 ? [...this.#childrenTasks] : [],
        mayExist,
      }
    }
    const writes: DurableWrites = {
      records: parts.flatMap(({ records }) => records),
      children: parts.flatMap(({ children }) => children),
      childrenTasks: hasChildren(parts) ? [...this.#childrenTasks] : [],
      mayExist,
    }
    if (!this.#isMarked && hasCompensation(parts)) {
      writes.hasCompensations = true
      const executionId = compensationMarkId(idPrefix(this.#attempt.row.executionId))
      // Once for each execution: whoever closes it looks for that. An earlier run may have written it.
      writes.records = [...writes.records, { executionId, kind: '#compensate', unless: executionId }]
    }
    const states = parts.flatMap(({ state }) => state ?? [])
    const state = states.at(-1)
    if (state !== undefined) {
      // An earlier write may have been accepted since it was asked for.
      writes.state = { ...state, isThere: this.#hasState || states.some(({ isThere }) => isThere) }
    }
    return writes
  }

  #count(added: number): void {
    this.assertRoom(added)
    this.noteWritten(added)
  }
}

function hasChildren(parts: ReadonlyArray<Part>): boolean {
  return parts.some(({ children }) => children.length > 0)
}

function hasCompensation(parts: ReadonlyArray<Part>): boolean {
  return parts.some(({ isCompensation }) => isCompensation === true)
}
