/** Text as SQL databases can keep it: any string of JavaScript goes in and comes out the same. */

// Not every driver gives back a NUL, and lone surrogates have no UTF-8. Such a text is kept as this
// character and its JSON, in which both are escaped; so is a text that begins with the character.
const ESCAPE = '\u001B'
const ESCAPE_CODE = ESCAPE.charCodeAt(0)

/** The text as it is kept. Equal texts are kept equal, so that they can be looked for. */
export function toSqlText(text: string): string {
  return text.charCodeAt(0) !== ESCAPE_CODE && !text.includes('\0') && text.isWellFormed()
    ? text
    : ESCAPE + JSON.stringify(text)
}

/** The text that was kept. What a damaged file gives instead comes as some text: one row must not fail the read of others. */
export function fromSqlText(kept: string): string {
  return typeof kept === 'string' && kept.charCodeAt(0) !== ESCAPE_CODE ? kept : fromEscaped(kept)
}

function fromEscaped(kept: unknown): string {
  const text = String(kept)
  try {
    return String(JSON.parse(text.slice(ESCAPE.length)))
  } catch {
    return text
  }
}
