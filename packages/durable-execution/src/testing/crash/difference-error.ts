/** The error that a crash is told by: where the process died, what came out differently, and how to see it again. */

import { type CrashPoint } from './crash-point.ts'
import { type Difference } from './outcome.ts'

/**
 * A crash at one point changed what came of a task.
 *
 * @category Testing
 */
export class CrashDifferenceError extends Error {
  /** Where the process died. */
  readonly point: CrashPoint
  /** What differed: `status`, `error`, `output`, `effects` and the like. */
  readonly what: string
  /** What it was without a crash. */
  readonly expected: string
  /** What it was with the crash. */
  readonly actual: string

  constructor(point: CrashPoint, { what, expected, actual }: Difference) {
    super(
      `A crash changes what comes of this task. The process died ${point.description}; another took over, ` +
        `and the ${what} differed.\n` +
        `  without a crash: ${indent(cutAround(expected, actual))}\n` +
        `  with the crash:  ${indent(cutAround(actual, expected))}\n` +
        `To run this point alone, give the option: only: '${point.name}'`,
    )
    this.name = 'CrashDifferenceError'
    this.point = point
    this.what = what
    this.expected = expected
    this.actual = actual
  }
}

const LONGEST_SHOWN = 1_000
const SHOWN_BEFORE = 200

/** A long text is shown around the place where it begins to differ. */
function cutAround(text: string, other: string): string {
  if (text.length <= LONGEST_SHOWN) {
    return text
  }
  let same = 0
  while (same < text.length && text[same] === other[same]) {
    same += 1
  }
  const from = Math.max(0, Math.min(same - SHOWN_BEFORE, text.length - LONGEST_SHOWN))
  const to = from + LONGEST_SHOWN
  return `${from > 0 ? '…' : ''}${text.slice(from, to)}${to < text.length ? '…' : ''}`
}

function indent(text: string): string {
  return text.replaceAll('\n', `\n${' '.repeat(19)}`)
}
