/** A signal that many share, lent to one of them: what that one leaves on it is taken off at the end. */

import { type CancelSignal } from './cancel-signal.ts'

/**
 * Listens to the lender only for those who listen to it, until `giveBack`. The lender lives as long as an
 * executor and a borrower as long as a run: without this, each run could leave something on it for ever.
 */
export class BorrowedSignal implements CancelSignal {
  readonly #lender: CancelSignal
  #listeners: Map<() => void, () => unknown> | undefined
  #isGivenBack = false

  constructor(lender: CancelSignal) {
    this.#lender = lender
  }

  isCancelled(): boolean {
    return this.#lender.isCancelled()
  }

  onCancelled(fn: () => void): void {
    if (this.#listeners?.has(fn) === true || (this.#isGivenBack && !this.isCancelled())) {
      return
    }
    // A function of its own for each borrower: the same one given by two of them is two listeners.
    const listener = (): unknown => fn()
    if (!this.isCancelled()) {
      this.#listeners ??= new Map()
      this.#listeners.set(fn, listener)
    }
    this.#lender.onCancelled(listener)
  }

  clearOnCancelled(fn: () => void): void {
    const listener = this.#listeners?.get(fn)
    if (listener !== undefined) {
      this.#listeners?.delete(fn)
      this.#lender.clearOnCancelled(listener)
    }
  }

  /** Takes off all that was left; from now on nobody is called any more. */
  giveBack(): void {
    this.#isGivenBack = true
    for (const listener of this.#listeners?.values() ?? []) {
      this.#lender.clearOnCancelled(listener)
    }
    this.#listeners = undefined
  }
}
