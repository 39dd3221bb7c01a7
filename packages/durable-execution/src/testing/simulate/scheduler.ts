/**
 * The only thing that moves in a simulation: takes what is due, one at a time, from whichever source chance says, and moves
 * time forward when nothing is. Between two steps every promise that can go on has gone on.
 */

import { type Millis } from '../../base/clock.ts'
import { type Chance, hash } from './chance.ts'

/** Where events come from: what one source has due happens in its order, what several have in any. */
export type Source = {
  readonly name: string
  /** Nothing of it happens before that moment; Infinity once it is dead. */
  heldUntil: Millis
  readonly due: Array<SimEvent>
}

/** Something that will happen. */
export type SimEvent = { at: Millis; order: number; label: string; happen: () => void; isCancelled: boolean }

const STEPS_IN_A_TURN = 500

export class Scheduler {
  /** Milliseconds since the simulation began. */
  now: Millis = 0
  /** How many events have happened. */
  steps = 0
  /** A number that two runs share only if the same things happened in the same order at the same moments. */
  traceHash: number = hash('')
  readonly #chance: Chance
  readonly #sources: Array<Source> = []
  readonly #keep: ((line: string) => void) | undefined
  #order = 0

  /** `keep` is given a line for each event. */
  constructor(chance: Chance, keep?: (line: string) => void) {
    this.#chance = chance
    this.#keep = keep
  }

  newSource(name: string): Source {
    const source: Source = { name, heldUntil: 0, due: [] }
    this.#sources.push(source)
    return source
  }

  /** Forgets a source, and all that it had due. */
  remove(source: Source): void {
    source.heldUntil = Infinity
    source.due.length = 0
    const index = this.#sources.indexOf(source)
    if (index >= 0) {
      this.#sources.splice(index, 1)
    }
  }

  /** Lets something happen after so long, as seen from now. */
  after(source: Source, ms: Millis, label: string, happen: () => void): SimEvent {
    this.#order += 1
    const event = { at: this.now + Math.max(0, ms), order: this.#order, label, happen, isCancelled: false }
    if (source.heldUntil < Infinity) {
      insert(source.due, event)
    }
    return event
  }

  /** Notes something that is no event of its own. */
  note(line: string): void {
    this.traceHash = hash(line, this.traceHash)
    this.#keep?.(line)
  }

  /** Lets the next event happen, if there is one until then. */
  async step(until: Millis): Promise<boolean> {
    if (this.steps === 0) {
      // What was begun before the first event.
      await turn(true)
    }
    const source = this.#next(until)
    const event = source?.due.shift()
    if (source === undefined || event === undefined) {
      return false
    }
    this.now = Math.max(this.now, event.at, source.heldUntil)
    this.steps += 1
    this.note(`${this.now.toFixed(1)} ${source.name}: ${event.label}`)
    event.happen()
    await turn(this.steps % STEPS_IN_A_TURN === 0)
    return true
  }

  /** One of the sources that have something due at the earliest moment at which anything is. */
  #next(until: Millis): Source | undefined {
    let ready: Array<Source> = []
    let earliest = Infinity
    for (const source of this.#sources) {
      while (source.due[0]?.isCancelled === true) {
        source.due.shift()
      }
      const first = source.due[0]
      if (first === undefined) {
        continue
      }
      const at = Math.max(first.at, source.heldUntil, this.now)
      if (at < earliest) {
        earliest = at
        ready = [source]
      } else if (at === earliest) {
        ready.push(source)
      }
    }
    return earliest > until || ready.length === 0 ? undefined : this.#chance.pick(ready)
  }
}

/**
 * All that waits for a settled promise goes on before this resolves. A tick is enough for that, and takes half the time that a real
 * turn of the event loop does; real ones come now and then, so that timers and messages of the process itself are not starved.
 */
function turn(isReal: boolean): Promise<void> {
  return new Promise((resolve) => {
    if (isReal) {
      setImmediate(resolve)
    } else {
      process.nextTick(resolve)
    }
  })
}

/** Keeps the list in the order of time, then of asking. */
function insert(due: Array<SimEvent>, event: SimEvent): void {
  let index = due.length
  while (index > 0 && isBefore(event, due[index - 1])) {
    index -= 1
  }
  due.splice(index, 0, event)
}

function isBefore(event: SimEvent, other: SimEvent | undefined): boolean {
  return other !== undefined && (event.at < other.at || (event.at === other.at && event.order < other.order))
}
