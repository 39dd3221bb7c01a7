/** Names under which the server keeps statements parsed and planned, on connections of our own. */

/** Gives names to statements. */
export type StatementNames = {
  /** The name of the statement; undefined if it goes without one. */
  of: (text: string) => string | undefined
  /** Other names from now on: what connections know by the old ones does not fit the tables any more. */
  renew: () => void
  /** No names from now on: what was prepared on one connection is asked for on another. */
  giveUp: () => void
}

// A storage uses some dozens of texts. Each takes memory of the server, on each connection, as long as it lasts.
const NAMED_TEXTS = 200

/**
 * One name for one text, up to a bound; other texts go without.
 *
 * @param id - What the names begin with; nobody else's do. Should a connection ever be shared unnoticed, a name
 * may be unknown there, and never means another text.
 */
export function createStatementNames(id: string): StatementNames {
  const names = new Map<string, string>()
  let count = 0
  let isGivenUp = false
  return {
    of: (text) => {
      const known = names.get(text)
      if (known !== undefined || isGivenUp || names.size >= NAMED_TEXTS) {
        return known
      }
      count += 1
      const name = `${id}_${count}`
      names.set(text, name)
      return name
    },
    renew: () => {
      names.clear()
    },
    giveUp: () => {
      names.clear()
      isGivenUp = true
    },
  }
}
