/** The run, as its durable calls see it. */

import { type AttemptEvent } from '../run-attempt.ts'
import { type RecordReader } from './record-reader.ts'
import { type OnTold } from './watch.ts'
import { type WriterDoors } from './writer.ts'

/** What the calls need of the run that they belong to. */
export type CallsDoors = WriterDoors & {
  records: RecordReader
  onTold: OnTold
  /** Whether the run's outcome is fixed, or of no interest any more. */
  isOver: () => boolean
  /** Whether the function has returned or thrown. */
  hasEnded: () => boolean
  /** Whether the executor stops, and the run was told so. */
  isToldToLeave: () => boolean
  /** The run is over, with this event. */
  leave: (event: AttemptEvent) => void
  /** The functions of all steps have ended. */
  stepsEnded: () => void
}
