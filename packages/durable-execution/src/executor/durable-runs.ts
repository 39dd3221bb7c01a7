/** Gives runs their durable calls, and leaves them when all that they still do is to wait. */

import { DurableExecutionCancelledError } from '../base/errors.ts'
import { type DurableCode } from '../task/durable-context.ts'
import { DurableCalls } from './durable/calls.ts'
import { type CallsDoors } from './durable/run-doors.ts'
import { createDurableCode } from './durable/code.ts'
import { type RecordReader } from './durable/record-reader.ts'
import { type OnTold } from './durable/watch.ts'
import { type WriteResult } from './durable/writer.ts'
import { type Engine } from './engine.ts'
import { type AttemptEvent, type WriteEvent } from './run-attempt.ts'
import { type Run } from './run.ts'

/** What durable runs need of the other parts. */
export type DurableRunsDoors = {
  records: RecordReader
  onTold: OnTold
  write: (run: Run, event: WriteEvent, onWritten: (result: WriteResult) => void) => void
  /** The run is over with this event, though its function has not ended. */
  leave: (run: Run, event: AttemptEvent) => void
  /** The lease of the run is not held any more. */
  drop: (run: Run, reason: DurableExecutionCancelledError) => void
  /** No step of the run is at work any more. */
  stepsEnded: (run: Run) => void
}

export class DurableRuns {
  readonly #engine: Engine
  readonly #doors: DurableRunsDoors

  constructor(engine: Engine, doors: DurableRunsDoors) {
    this.#engine = engine
    this.#doors = doors
  }

  /** The calls of the run, made the first time. */
  codeOf(run: Run): DurableCode {
    run.calls ??= this.#callsOf(run)
    run.code ??= createDurableCode(run.calls)
    return run.code
  }

  #callsOf(run: Run): DurableCalls {
    return new DurableCalls(this.#engine, run, new RunDoors(run, this.#doors))
  }
}

/** One object for each run, where a closure for each door would be nine. */
class RunDoors implements CallsDoors {
  readonly #run: Run
  readonly #doors: DurableRunsDoors

  constructor(run: Run, doors: DurableRunsDoors) {
    this.#run = run
    this.#doors = doors
  }

  get records(): RecordReader {
    return this.#doors.records
  }

  get onTold(): OnTold {
    return this.#doors.onTold
  }

  isOver(): boolean {
    return this.#run.isDecided
  }

  hasEnded(): boolean {
    return this.#run.hasEnded
  }

  isToldToLeave(): boolean {
    return this.#run.isToldToLeave
  }

  write(event: WriteEvent, onWritten: (result: WriteResult) => void): void {
    this.#doors.write(this.#run, event, onWritten)
  }

  leave(event: AttemptEvent): void {
    this.#doors.leave(this.#run, event)
  }

  lose(): void {
    this.#doors.drop(this.#run, new DurableExecutionCancelledError('Task lost its lease'))
  }

  stepsEnded(): void {
    this.#doors.stepsEnded(this.#run)
  }
}
