/** Kills programs at random moments of their work. */

import { type Program } from './programs.ts'
import { between, type Random } from './random.ts'

type Kill = { afterCalls: number; delayMs: number; victim: number }

export type KillerOptions = {
  programs: ReadonlyArray<Program>
  /** How many kills there are in all. */
  kills: number
  /** At most so many calls of the world outside lie between two kills. */
  mostCalls: number
  random: Random
  /** Told of each kill. */
  say: (line: string) => void
}

/**
 * A moment is so many calls of the world outside after the kill before, and some milliseconds more: so it lies in the middle of
 * the work on fast and on slow machines, and anywhere in or between the calls.
 */
export class Killer {
  readonly #programs: ReadonlyArray<Program>
  readonly #say: (line: string) => void
  readonly #plan: Array<Kill>
  #calls = 0
  /** How many calls there were when the kill before came. */
  #callsBefore = 0
  #isAboutTo = false
  #killed = 0

  constructor({ programs, kills, mostCalls, random, say }: KillerOptions) {
    this.#programs = programs
    this.#say = say
    this.#plan = Array.from({ length: kills }, () => ({
      afterCalls: between(random, 1, mostCalls),
      delayMs: between(random, 0, 25),
      victim: between(random, 0, programs.length - 1),
    }))
  }

  /** How many kills there were. */
  get killed(): number {
    return this.#killed
  }

  /** There have been so many calls in all; by default one more. */
  noteCalls(calls = this.#calls + 1): void {
    this.#calls = calls
    const [next] = this.#plan
    if (next !== undefined && !this.#isAboutTo && calls - this.#callsBefore >= next.afterCalls) {
      this.#isAboutTo = true
      this.#plan.shift()
      setTimeout(() => this.#kill(next), next.delayMs)
    }
  }

  #kill({ victim }: Kill): void {
    this.#isAboutTo = false
    this.#callsBefore = this.#calls
    const program = this.#programs[victim]
    if (program?.kill()) {
      this.#killed += 1
      this.#say(`kill -9 ${program.name}, and start it again`)
    }
  }
}
