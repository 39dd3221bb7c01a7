/** What an error of the driver says: about the connection, about another transaction, about the statement. */

const SERIALIZATION_FAILURE = '40001'
const DEADLOCK = '40P01'
const UNIQUE_VIOLATION = '23505'
// `cached plan must not change result type` has no code of its own.
const FEATURE_NOT_SUPPORTED = '0A000'
const UNKNOWN_STATEMENT = '26000'
const DUPLICATE_STATEMENT = '42P05'

// Connection failures, shutdowns, sessions that idled for too long. How grave an error is the server says in
// its own language, so that is not asked.
const ENDS_CONNECTION = /^(?:08|28|57P|25P03)/

type ServerError = { code: string; severity: string; detail?: string }

/**
 * Whether the connection is as good as before. Only an answer of the server that is about the statement
 * says so: after anything else the connection is broken, or out of step.
 */
export function isOnlyAboutStatement(error: unknown): boolean {
  return isServerError(error) && !ENDS_CONNECTION.test(error.code)
}

/** Whether the same again may succeed, since only another transaction was in the way. */
export function isConflict(error: unknown): boolean {
  return isServerError(error) && (error.code === SERIALIZATION_FAILURE || error.code === DEADLOCK)
}

/**
 * Whether a statement that was prepared before is not what it was: `outdated` where the tables have changed
 * under it, `elsewhere` where the connection is another than it seems, as behind a pooler.
 */
export function preparedFailure(error: unknown): 'outdated' | 'elsewhere' | undefined {
  if (!isServerError(error)) {
    return undefined
  }
  if (error.code === FEATURE_NOT_SUPPORTED) {
    return 'outdated'
  }
  return error.code === UNKNOWN_STATEMENT || error.code === DUPLICATE_STATEMENT ? 'elsewhere' : undefined
}

/** The id that exists already, if that is what the error says; an empty text where it does not name it. */
export function takenId(error: unknown): string | undefined {
  if (!isServerError(error) || error.code !== UNIQUE_VIOLATION) {
    return undefined
  }
  // The words around it are in the server's language.
  return /\(execution_id\)=\((.*)\)/s.exec(error.detail ?? '')?.[1] ?? ''
}

/** Whether a table is not there, or not even its schema. */
export function isMissingTable(error: unknown): boolean {
  // Layers above the driver wrap what it threw.
  const thrown = [error, (error as { cause?: unknown } | null | undefined)?.cause]
  return thrown.some((one) => isServerError(one) && (one.code === '42P01' || one.code === '3F000'))
}

/** Whether a pooler refuses the settings that a connection begins with. */
export function isRefusedSetting(error: unknown): boolean {
  return error instanceof Error && /unsupported startup parameter/i.test(error.message)
}

function isServerError(error: unknown): error is ServerError {
  const { code, severity } = (error ?? {}) as Partial<ServerError>
  // Errors of sockets have codes too, `EPIPE` for one, and no severity.
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && typeof severity === 'string'
}
