/** Whether the end can be reached from everywhere: walked backwards from the settled worlds. */

/**
 * The first world from which no settled world can be reached; undefined if there is none. Steps are
 * given as pairs of numbers.
 */
export function cannotSettle(
  worlds: number,
  from: ReadonlyArray<number>,
  to: ReadonlyArray<number>,
  settled: ReadonlyArray<number>,
): number | undefined {
  const { starts, sources } = stepsInto(worlds, from, to)
  const canSettle = new Uint8Array(worlds)
  const queue = [...settled]
  for (const number of settled) {
    canSettle[number] = 1
  }
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const end = starts[next + 1] ?? 0
    for (let at = starts[next] ?? 0; at < end; at++) {
      const source = sources[at] ?? 0
      if (canSettle[source] === 0) {
        canSettle[source] = 1
        queue.push(source)
      }
    }
  }
  const stuck = canSettle.indexOf(0)
  return stuck === -1 ? undefined : stuck
}

/** The sources of the steps into each world, world after world, and where each world's begin. */
function stepsInto(
  worlds: number,
  from: ReadonlyArray<number>,
  to: ReadonlyArray<number>,
): { starts: Int32Array; sources: Int32Array } {
  const starts = new Int32Array(worlds + 1)
  for (const target of to) {
    starts[target + 1] = (starts[target + 1] ?? 0) + 1
  }
  for (let at = 1; at <= worlds; at++) {
    starts[at] = (starts[at] ?? 0) + (starts[at - 1] ?? 0)
  }
  const filled = starts.slice()
  const sources = new Int32Array(to.length)
  for (const [index, target] of to.entries()) {
    const place = filled[target] ?? 0
    sources[place] = from[index] ?? 0
    filled[target] = place + 1
  }
  return { starts, sources }
}
