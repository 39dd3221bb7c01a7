/** What an engine is to the benchmarks: where it keeps its work, its settings, and the verbs that the workloads use. */

import { type WorkloadName } from '../names.ts'

/** An engine, before anything of it is loaded. */
export type Engine = {
  /** What holds its work. */
  server: 'nothing' | 'file' | 'postgres' | 'redis'
  /** Its settings, for the reader of the tables: chosen as its own best. */
  settings: string
  /** What the test `steps` runs, since not every engine has durable steps. */
  steps: string
  /** At most so many tasks in a throughput run, and as many to warm up: of a slow one, which would take too long. */
  tasksAtMost?: number
  /** Tests that it cannot take part in, and why. */
  lacks?: Partial<Record<WorkloadName, string>>
  /**
   * Opens it for one test in a fresh place: a folder for a file, a connection string for Postgres, a URL
   * for Redis, nothing at all for the memory of the process.
   */
  open: (place: string, test: WorkloadName) => Promise<Session>
}

/** An engine that is open. Its verbs are called one after another unless they say otherwise. */
export type Session = {
  /** Enqueues so many no-op tasks, by the fastest call there is. */
  enqueue: (count: number) => Promise<void>
  /** Enqueues one; called by many at once. Absent where `enqueue` is made of such calls. */
  enqueueOne?: (index: number) => Promise<void>
  /** Starts a worker. */
  startWorker: () => Promise<Worker>
  /** Enqueues one task and waits, as a caller would, until it is known to be completed. */
  roundTrip: (index: number) => Promise<void>
  /** Starts so many workflows of so many steps each, and waits until all of them are done. */
  runWorkflows: (count: number, steps: number) => Promise<void>
  /** Runs a parent with so many children and combines what they gave. Absent where there are no parents. */
  fanOut?: (children: number) => Promise<void>
  /** Resolves when nothing is left to be done for what has ended. Absent where the end is the end. */
  comeToRest?: () => Promise<void>
  /** What it has asked of its storage since it was opened, in the test `idle`; absent where only the server knows. */
  countAsked?: () => Asked | Promise<Asked>
  close: () => Promise<void>
}

/** What was asked of a storage. */
export type Asked = {
  /** Of Redis: commands. Absent where Postgres itself is asked, as it is for every engine on it. */
  transactions?: number
  /** As the driver got them. */
  statements?: number
  /** Questions whether another process changed something; they are not among the statements. */
  changeChecks?: number
}

export type Worker = {
  /** Resolves when the store shows that all is done; at least so many tasks have run since the start. */
  finished: (count: number) => Promise<void>
  /** How many no-op tasks have run since the start; for workers that share the work with others. */
  ran?: () => number
  stop: () => Promise<void>
}
