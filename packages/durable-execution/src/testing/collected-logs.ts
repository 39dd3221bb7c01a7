/** A logger that keeps its lines, so that a test can look at them. */

import { type Logger } from '../base/logger.ts'

/**
 * A line that was logged.
 *
 * @category Testing
 */
export type TestLogLine = {
  level: 'debug' | 'info' | 'error'
  message: string
  /** What was logged with it: the error that was thrown, most often. */
  meta: Array<unknown>
}

/** Adds each line to `lines`, and passes it on to `next` if there is one. */
export function collectLogs(lines: Array<TestLogLine>, next?: Logger | null): Logger {
  const collect =
    (level: TestLogLine['level']) =>
    (message: string, ...meta: Array<unknown>): void => {
      lines.push({ level, message, meta })
      next?.[level](message, ...meta)
    }
  return { debug: collect('debug'), info: collect('info'), error: collect('error') }
}
