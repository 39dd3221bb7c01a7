/** What the rules must know before they can decide, gathered over all events of a transaction. */

import { type Needs } from './facts.ts'

/** What must be read before anything can be decided. */
export type Wanted = {
  kind: 'wanted'
  fanInIds: Array<string>
  outputIds: Array<string>
  rowIds: Array<string>
  failedCountIds: Array<string>
}

export class Wants {
  readonly #fanInIds = new Set<string>()
  readonly #outputIds = new Set<string>()
  readonly #rowIds = new Set<string>()
  readonly #failedCountIds = new Set<string>()

  add(needed: Needs): void {
    switch (needed.needs) {
      case 'fan_in':
        this.#fanInIds.add(needed.executionId)
        return
      case 'output':
        this.#outputIds.add(needed.executionId)
        return
      case 'failed_children':
        this.#failedCountIds.add(needed.executionId)
        return
      case 'rows':
        for (const id of needed.ids) {
          this.#rowIds.add(id)
        }
    }
  }

  /** All of it; undefined if there is nothing. */
  told(): Wanted | undefined {
    const size = this.#fanInIds.size + this.#outputIds.size + this.#rowIds.size + this.#failedCountIds.size
    return size === 0
      ? undefined
      : {
          kind: 'wanted',
          fanInIds: [...this.#fanInIds],
          outputIds: [...this.#outputIds],
          rowIds: [...this.#rowIds],
          failedCountIds: [...this.#failedCountIds],
        }
  }
}
