/** Whether a text of SQL begins or ends a transaction. */

// What may hold a semicolon, or a word, that says nothing: comments, strings, names in quotes, and bodies between dollars.
const SILENT =
  /--[^\n]*|\/\*[\s\S]*?\*\/|\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|(?<![\w$])\$(\w*)\$[\s\S]*?\$\1\$/g

const CONTROL =
  /^(?:begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!(?:\s+(?:work|transaction))?\s+to\b))\b/i

// The bodies of triggers and functions have words of their own.
const DEFINITION = /^create\b[\s\S]*\b(?:trigger|function|procedure)\b/i

/**
 * The first statement in the text that begins or ends a transaction; undefined if there is none. Savepoints are none. For honest
 * mistakes: it knows the words of SQLite and Postgres, not their whole grammar.
 */
export function transactionControlIn(text: string): string | undefined {
  if (!/begin|start|commit|end|abort|prepare|rollback/i.test(text)) {
    return undefined
  }
  const statements = text
    .replaceAll(SILENT, ' ')
    .split(';')
    .map((statement) => statement.trim())
  const definition = statements.findIndex((statement) => DEFINITION.test(statement))
  return (definition === -1 ? statements : statements.slice(0, definition)).find((statement) =>
    CONTROL.test(statement),
  )
}
