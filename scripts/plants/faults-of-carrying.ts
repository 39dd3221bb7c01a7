/** Faults of the executor: starting, slots, timers, wakes, shutdown, and what callers are told. */

import { type Plant } from './plant.ts'

const EARLY = 'executor/early-start.ts'
const INSERT = 'store/insert.ts'
const RUNS = 'executor/runs.ts'

export const CARRYING_FAULTS: ReadonlyArray<Plant> = [
  {
    name: 'a-later-insert-counts-as-claimed',
    what: 'a row that a second try inserted is run under the lease that the first one would have given it',
    breaks: 'S7',
    patches: [
      {
        file: INSERT,
        from: 'this.#inserted(rows, early === undefined ? undefined : { ...early, claimed })',
        to: 'this.#inserted(rows, early)',
      },
    ],
  },
  {
    name: 'a-refused-enqueue-is-acknowledged',
    what: 'an enqueue that failed at all its tries gives a handle all the same',
    breaks: 'S16',
    patches: [{ file: INSERT, from: '.then(resolve, reject)', to: '.then(resolve, () => resolve())' }],
  },
  {
    name: 'started-before-the-commit',
    what: 'a row that is claimed with its insert begins before that is committed',
    breaks: 'S7',
    twin: 'start before the commit',
    patches: [
      {
        file: EARLY,
        from: 'const giveBack = this.#runs.reserve(claimed.size)',
        to: `const giveBack = this.#runs.reserve(claimed.size)
    void this.#starter.start([...claimed.values()], deadlineAt)`,
      },
      {
        file: EARLY,
        from: 'void this.#starter.start(highestFirst(some), deadlineAt, letGo)',
        to: 'if (some.length > 0) letGo()',
      },
    ],
  },
  {
    name: 'an-early-start-without-room',
    what: 'what is claimed with its insert is not held to the free slots',
    breaks: 'at most maxConcurrentRuns functions run at once',
    unseenBy: {
      simulator: 'it does not count what runs at once',
    },
    patches: [
      { file: EARLY, from: 'free <= 0 || !this.#claiming.isAllTaken', to: '!this.#claiming.isAllTaken' },
      { file: EARLY, from: 'highestFirst(due).slice(0, free)', to: 'due' },
    ],
  },
  {
    name: 'an-early-start-passes-the-queue',
    what: 'what is claimed with its insert passes rows that are due already',
    breaks: 'what is due first is run first',
    unseenBy: {
      simulator: 'it asks for no order',
    },
    patches: [{ file: EARLY, from: 'free <= 0 || !this.#claiming.isAllTaken', to: 'free <= 0' }],
  },
  {
    name: 'works-without-the-time',
    what: "an executor that could not read the storage's clock yet works by its own",
    breaks: 'L5',
    patches: [
      {
        file: 'executor/runtime.ts',
        from: 'knowTime: () => (this.#clock.isUnknown ? this.#clock.refresh() : undefined)',
        to: 'knowTime: () => undefined',
      },
    ],
  },
  {
    name: 'a-slot-is-lost',
    what: 'a run that was told to stop keeps its slot for ever',
    breaks: 'L5',
    patches: [
      {
        file: RUNS,
        from: 'this.#activeCount -= 1',
        to: 'if (!run.cancelSignal.isCancelled()) this.#activeCount -= 1',
      },
    ],
  },
  {
    name: 'reserved-slots-are-lost',
    what: 'of the slots kept for a claim that took less only one is let go of',
    breaks: 'L5',
    unseenBy: {
      simulator: 'one slot is left, which is enough in the end',
    },
    patches: [{ file: RUNS, from: 'this.#reserved -= slots', to: 'this.#reserved -= Math.min(slots, 1)' }],
  },
  {
    name: 'timers-are-not-cleared',
    what: 'the timer of a run goes on after the run has ended',
    breaks: 'the signal of a run that has ended does not fire',
    unseenBy: {
      simulator: 'it does not look at signals after the end',
    },
    patches: [
      {
        file: RUNS,
        from: 'run.timer?.cancel()\n    run.shutdownSignal.giveBack()',
        to: 'run.shutdownSignal.giveBack()',
      },
      { file: RUNS, from: '#free(run: Run): void {\n    run.timer?.cancel()', to: '#free(run: Run): void {' },
    ],
  },
  {
    name: 'a-wake-is-lost',
    what: 'a wake that comes while a loop is at its step is forgotten',
    breaks: 'what became due here is run without waiting for the poll',
    unseenBy: {
      suite: 'the loops that hurry look again by themselves',

      simulator: 'the poll finds it later',
    },
    patches: [
      {
        file: 'executor/loop.ts',
        from: 'this.#failures === 0 && this.#wakes !== wakes ? 0 : pauseMs',
        to: 'this.#wakes < wakes ? 0 : pauseMs',
      },
    ],
  },
  {
    name: 'children-wait-for-the-poll',
    what: 'that children and finalize executions are ready is told to nobody',
    breaks: 'what became due here is run without waiting for the poll',
    unseenBy: {
      simulator: 'the poll finds it later',
    },
    patches: [
      {
        file: 'store/effects.ts',
        from: 'for (const row of decision.inserts) {',
        to: 'for (const row of decision.inserts.slice(0, 0)) {',
      },
    ],
  },
  {
    name: 'a-hint-is-kept-for-ever',
    what: 'what is told to other processes a little later is not told at all',
    breaks: 'what changed here is hinted to others',
    unseenBy: {
      suite: 'memory and SQLite need no messages',

      simulator: 'the poll finds it later',
    },
    patches: [
      {
        file: 'executor/telling.ts',
        from: 'this.#timer = this.#clock.setTimer(ms, () => this.flush())',
        to: '',
      },
    ],
  },
  {
    name: 'a-shutdown-counts-as-a-failure',
    what: 'a run that stopped since its executor shuts down has failed',
    breaks: 'an attempt that a shutdown interrupts is no attempt',
    unseenBy: {
      simulator: 'its functions that obey a shutdown fail in any case',
    },
    patches: [
      { file: RUNS, from: 'isUnfinished ? releasedEvent(run) : event', to: 'isUnfinished ? event : event' },
    ],
  },
  {
    name: 'nothing-is-given-back',
    what: 'what a leaving executor does not finish stays under its lease until that lapses',
    breaks: 'what a shutdown leaves is run by others at once',
    unseenBy: {
      simulator: 'the lease lapses, which is a loss like any other',
    },
    patches: [{ file: 'executor/worker.ts', from: `await giveBack(this.#engine, runs, 'runs')`, to: '' }],
  },
]
