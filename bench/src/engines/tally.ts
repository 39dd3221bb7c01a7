/** Counts the runs of no-op tasks, and tells when there have been enough. */

export type Tally = {
  add: (count: number) => void
  sum: () => number
  /** Begins anew. */
  reset: () => void
  /** Resolves when so many were added since the reset. */
  reached: (count: number) => Promise<void>
}

export function createTally(): Tally {
  let sum = 0
  let waiting: { count: number; resolve: () => void } | undefined
  const tell = (): void => {
    if (waiting !== undefined && sum >= waiting.count) {
      waiting.resolve()
      waiting = undefined
    }
  }
  return {
    add: (count) => {
      sum += count
      tell()
    },
    sum: () => sum,
    reset: () => {
      sum = 0
    },
    reached: (count) =>
      new Promise((resolve) => {
        waiting = { count, resolve }
        tell()
      }),
  }
}
