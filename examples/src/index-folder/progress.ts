/** A progress bar on standard error: how much is done, how fast it goes, how long it will take. */

const WIDTH = 28

export class Progress {
  readonly #isShown: boolean
  readonly #startedAt = performance.now()
  readonly #keptCount: number
  #lastLineAt = 0

  /** `keptCount`: what was done before this process began; it says nothing of the rate. */
  constructor(isShown: boolean, keptCount: number) {
    this.#isShown = isShown
    this.#keptCount = keptCount
  }

  show(doneCount: number, totalCount: number): void {
    if (!this.#isShown || totalCount === 0) {
      return
    }
    const now = performance.now()
    const isTerminal = process.stderr.isTTY
    // A log file gets a line now and then instead of a bar that redraws itself.
    if (!isTerminal && now - this.#lastLineAt < 1_000 && doneCount < totalCount) {
      return
    }
    this.#lastLineAt = now
    const seconds = (now - this.#startedAt) / 1_000
    const rate = (doneCount - this.#keptCount) / Math.max(seconds, 0.001)
    const left = rate > 0 ? `${((totalCount - doneCount) / rate).toFixed(0)} s left` : 'waiting'
    const filled = Math.round((doneCount / totalCount) * WIDTH)
    const bar = `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)}`
    const line = `${bar} ${doneCount}/${totalCount} files, ${rate.toFixed(0)}/s, ${left}`
    process.stderr.write(isTerminal ? `\r\u001B[K${line}` : `${line}\n`)
  }

  end(): void {
    if (this.#isShown && process.stderr.isTTY) {
      process.stderr.write('\n')
    }
  }
}
