/** Listens to the storage's hints while somebody has a use for them. */

import { type Logger } from '../base/logger.ts'
import { type DurableStorage, type DurableStorageChangeHint } from '../storage/contract.ts'

export class ChangeFeed {
  readonly #storage: DurableStorage
  readonly #logger: Logger
  readonly #onHint: (hint: DurableStorageChangeHint) => void
  readonly #wantedBy = new Set<string>()
  #work: Promise<void> = Promise.resolve()
  #stop: (() => Promise<void>) | undefined
  readonly #onWanted: (isWanted: boolean) => void

  constructor(
    storage: DurableStorage,
    logger: Logger,
    onHint: (hint: DurableStorageChangeHint) => void,
    onWanted: (isWanted: boolean) => void,
  ) {
    this.#storage = storage
    this.#logger = logger
    this.#onHint = onHint
    this.#onWanted = onWanted
  }

  /** Whether the storage hints at what others change. */
  get isListening(): boolean {
    return this.#stop !== undefined
  }

  /** Says whether somebody wants hints. */
  want(who: string, isWanted: boolean): void {
    const before = this.#wantedBy.size > 0
    if (isWanted) {
      this.#wantedBy.add(who)
    } else {
      this.#wantedBy.delete(who)
    }
    if (this.#wantedBy.size > 0 !== before) {
      this.#onWanted(isWanted)
      // One after the other, so that a quick change of mind ends in what was wanted last.
      this.#work = this.#work.then(() => this.#settle())
    }
  }

  /** Tries again to listen, where that failed. */
  retry(): void {
    if (this.#wantedBy.size > 0 && this.#stop === undefined) {
      this.#work = this.#work.then(() => this.#settle())
    }
  }

  /** Resolves when the last wish is carried out. */
  async settled(): Promise<void> {
    await this.#work
  }

  async #settle(): Promise<void> {
    const isWanted = this.#wantedBy.size > 0
    try {
      if (isWanted && this.#stop === undefined) {
        this.#stop = await this.#storage.onChange?.((hint) => this.#onHint(hint))
        if (this.#stop !== undefined) {
          // What changed between the last look and now was hinted at to nobody.
          this.#onHint({ ready: true })
        }
      } else if (!isWanted && this.#stop !== undefined) {
        const stop = this.#stop
        this.#stop = undefined
        await stop()
      }
    } catch (error) {
      // Hints only make things faster; without them there is the poll.
      this.#logger.error('The storage could not be listened to; changes are found by polling', error)
    }
  }
}
