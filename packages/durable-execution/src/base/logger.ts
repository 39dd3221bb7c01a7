/** Where the engine's log lines go. */

/**
 * A logger. `console` fits as it is, and whatever writes its further arguments too. An error comes as the second
 * argument, after the message. pino has the type and drops that argument: wrap it.
 *
 * @example
 * ```ts
 * import { type Logger } from 'durable-execution'
 *
 * type Pino = { [level in 'debug' | 'info' | 'error']: (fields: object, message: string) => void }
 *
 * const fromPino = (pino: Pino): Logger => ({
 *   debug: (message, ...meta) => pino.debug({ meta }, message),
 *   info: (message, ...meta) => pino.info({ meta }, message),
 *   error: (message, error) => pino.error({ err: error }, message),
 * })
 * ```
 *
 * @category Logging
 */
export type Logger = {
  /** Written only when `enableDebug` is set. */
  debug: (message: string, ...meta: Array<unknown>) => void
  /** What is worth knowing and needs nobody: work that was taken over, outcomes that came too late. */
  info: (message: string, ...meta: Array<unknown>) => void
  /** What failed; the thrown error itself is the second argument. */
  error: (message: string, ...meta: Array<unknown>) => void
}

/**
 * A logger that writes to the console, each line headed by the name.
 *
 * @param name - What stands before each line.
 *
 * @category Logging
 */
export function createConsoleLogger(name: string): Logger {
  return {
    debug: (message, ...meta) => console.debug(`DEBUG [${name}] ${message}`, ...meta),
    info: (message, ...meta) => console.info(`INFO [${name}] ${message}`, ...meta),
    error: (message, ...meta) => console.error(`ERROR [${name}] ${message}`, ...meta),
  }
}

/**
 * The user's logger as the engine calls it: `debug` only when asked for, and a logger that throws
 * never disturbs the work.
 */
export function guardLogger(logger: Logger, enableDebug: boolean): Logger {
  const quietly =
    (write: (message: string, ...meta: Array<unknown>) => void) =>
    (message: string, ...meta: Array<unknown>): void => {
      try {
        write(message, ...meta)
      } catch {
        // A log line that cannot be written is lost; the work is not.
      }
    }
  return {
    debug: enableDebug ? quietly((message, ...meta) => logger.debug(message, ...meta)) : () => {},
    info: quietly((message, ...meta) => logger.info(message, ...meta)),
    error: quietly((message, ...meta) => logger.error(message, ...meta)),
  }
}
