/** A progress bar on standard error, and lines between. */

const WIDTH = 28

/** Makes a function that draws the bar: in a terminal over the one before, elsewhere a line a second. */
export function createProgress(total: number): (done: number, note: string) => void {
  let drawnAt = -Infinity
  return (done, note) => {
    const isTerminal = process.stderr.isTTY
    if (!isTerminal && done < total && performance.now() - drawnAt < 1_000) {
      return
    }
    drawnAt = performance.now()
    const filled = Math.round((done / total) * WIDTH)
    const bar = `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)}`
    const line = `${bar} ${done}/${total} letters, ${note}`
    process.stderr.write(isTerminal ? `\r\u001B[K${line}` : `${line}\n`)
  }
}

/** Writes a line that stays. */
export function say(line: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\u001B[K${line}\n` : `${line}\n`)
}
