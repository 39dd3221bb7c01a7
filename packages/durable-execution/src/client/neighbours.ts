/** Executors of one process that share one storage object: they tell each other in memory what they changed. */

import { type DurableStorage } from '../storage/contract.ts'
import { type Effects } from '../store/effects.ts'

type Hear = (effects: Effects) => void

const listenersOf = new WeakMap<DurableStorage, Set<Hear>>()

export class Neighbours {
  readonly #storage: DurableStorage
  readonly #hear: Hear

  constructor(storage: DurableStorage, hear: Hear) {
    this.#storage = storage
    this.#hear = hear
  }

  /** Hears from now on what the others change, or no longer. */
  listen(isListening: boolean): void {
    const listeners = listenersOf.get(this.#storage) ?? new Set()
    if (isListening) {
      listeners.add(this.#hear)
      listenersOf.set(this.#storage, listeners)
    } else {
      listeners.delete(this.#hear)
    }
  }

  /** Tells the others. */
  tell(effects: Effects): void {
    for (const hear of listenersOf.get(this.#storage) ?? []) {
      if (hear !== this.#hear) {
        hear(effects)
      }
    }
  }
}
