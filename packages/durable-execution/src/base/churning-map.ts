/** A map whose entries come and go, of which few are there at a time. */

// The table of a map is made anew whenever it is full of what was deleted, and the old one leads to the new one. One that
// has grown old before it died thus keeps all that follow, with the entries that they had, until the next full
// collection: of the runs of short tasks, more than half. Where the map itself is another one, the chain ends.
const DELETED_BEFORE_ANEW = 64

export class ChurningMap<K, V> {
  #map = new Map<K, V>()
  #deleted = 0

  get size(): number {
    return this.#map.size
  }

  get(key: K): V | undefined {
    return this.#map.get(key)
  }

  set(key: K, value: V): void {
    this.#map.set(key, value)
  }

  /** Whether it was there. */
  delete(key: K): boolean {
    const wasThere = this.#map.delete(key)
    if (wasThere) {
      this.#deleted += 1
      if (this.#deleted >= Math.max(DELETED_BEFORE_ANEW, this.#map.size)) {
        this.#map = new Map(this.#map)
        this.#deleted = 0
      }
    }
    return wasThere
  }

  /** The values, in the order in which their keys were first set. */
  values(): Array<V> {
    return [...this.#map.values()]
  }
}
