/** Row locks: who holds them, who waits, and whether somebody would wait for ever. */

/** Somebody who holds locks. */
export type Holder = { readonly name: string }

type Waiting = { holder: Holder; resolve: () => void; reject: (error: unknown) => void }

export class Locks {
  readonly #held = new Map<string, Holder>()
  readonly #waiting = new Map<string, Array<Waiting>>()

  /** Whether somebody else holds it. */
  isHeldByOther(key: string, holder: Holder): boolean {
    const by = this.#held.get(key)
    return by !== undefined && by !== holder
  }

  /** Resolves when the holder has it, at once if nobody else does; rejects if that could never be. */
  async take(key: string, holder: Holder, deadlock: () => Error): Promise<void> {
    if (!this.isHeldByOther(key, holder)) {
      this.#held.set(key, holder)
      return
    }
    await new Promise<void>((resolve, reject) => {
      const queue = this.#waiting.get(key) ?? []
      this.#waiting.set(key, [...queue, { holder, resolve, reject }])
      if (this.#waitsForItself(holder)) {
        this.#leave(key, holder)
        reject(deadlock())
      }
    })
  }

  /** Gives up all that it holds and waits for; what it waited for is rejected with the error. */
  release(holder: Holder, error: () => Error): void {
    for (const [key, queue] of this.#waiting) {
      const own = queue.filter((waiting) => waiting.holder === holder)
      this.#leave(key, holder)
      for (const waiting of own) {
        waiting.reject(error())
      }
    }
    for (const [key, by] of this.#held) {
      if (by === holder) {
        this.#held.delete(key)
        this.#grant(key)
      }
    }
  }

  #grant(key: string): void {
    const [next, ...others] = this.#waiting.get(key) ?? []
    if (next === undefined) {
      this.#waiting.delete(key)
      return
    }
    this.#waiting.set(key, others)
    this.#held.set(key, next.holder)
    next.resolve()
  }

  #leave(key: string, holder: Holder): void {
    const queue = this.#waiting.get(key) ?? []
    this.#waiting.set(
      key,
      queue.filter((waiting) => waiting.holder !== holder),
    )
  }

  /** Whether the holder waits for somebody who, one after the other, waits for it. */
  #waitsForItself(holder: Holder): boolean {
    const seen = new Set<Holder>()
    const queue = this.#blockersOf(holder)
    for (const blocker of queue) {
      if (blocker === holder) {
        return true
      }
      if (!seen.has(blocker)) {
        seen.add(blocker)
        queue.push(...this.#blockersOf(blocker))
      }
    }
    return false
  }

  /** Who must end before it can go on: who holds what it waits for, and who waits for that before it. */
  #blockersOf(holder: Holder): Array<Holder> {
    const blockers: Array<Holder> = []
    for (const [key, queue] of this.#waiting) {
      const place = queue.findIndex((waiting) => waiting.holder === holder)
      if (place >= 0) {
        const by = this.#held.get(key)
        blockers.push(...(by === undefined ? [] : [by]), ...queue.slice(0, place).map((one) => one.holder))
      }
    }
    return blockers
  }
}
