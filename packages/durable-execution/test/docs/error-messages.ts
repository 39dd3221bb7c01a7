/** The error messages of the sources, and those that the guide lists, in a form in which they can be compared. */

import { read, sources } from './places.ts'

/** A message, with `<>` for whatever is filled in. */
export type Message = { text: string; place: string }

// What cases of the testing kit throw is for those cases.
const NOT_FOR_USERS = /\/testing\/(?:conformance|explore|simulate)\//
const CONSTRUCTED = /new Durable\w*Error\(/g
const SEAM = /(['"`])\s*\+\s*(['"`])/g

/** The sources as texts in which messages of several literals are one. */
export function sourceTexts(): Array<{ path: string; text: string }> {
  return sources()
    .filter(({ path }) => !NOT_FOR_USERS.test(path))
    .map(({ path, text }) => ({ path, text: joinLiterals(withoutComments(text)) }))
}

/** The messages that errors are made with; those that are no literal come as the expression, in `computed`. */
export function messagesOfSources(): { literal: Array<Message>; computed: Array<Message> } {
  const literal: Array<Message> = []
  const computed: Array<Message> = []
  for (const { path, text } of sourceTexts()) {
    for (const { 0: opening, index } of text.matchAll(CONSTRUCTED)) {
      const argument = text.slice(index + opening.length).trimStart()
      const message = literalAt(argument)
      if (message !== undefined) {
        literal.push({ text: message, place: path })
      } else if (!argument.startsWith(')')) {
        computed.push({
          text: /^[^,]*?(?:\([^)]*\))?(?=[,)\s])/.exec(argument)?.[0] ?? argument,
          place: path,
        })
      }
    }
  }
  return { literal, computed }
}

/** The messages in the first column of the guide's tables. */
export function messagesOfGuide(): Array<Message> {
  const { text } = read('docs/errors.md')
  return text.split('\n').flatMap((line, index) => {
    const message = /^\| `` ?(.+?) ?`` +\|/.exec(line)?.[1] ?? /^\| `([^`]+)` +\|/.exec(line)?.[1]
    return message === undefined
      ? []
      : [{ text: message.replaceAll(/<[^>]*>/g, '<>'), place: `docs/errors.md:${index + 1}` }]
  })
}

/** What finds the message in a source: its words, with anything filled in. */
export function patternOf(message: string): RegExp {
  const words = message.split('<>').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
  return new RegExp(words.join(String.raw`\$\{[^\`]*?\}`))
}

// Two literals with a plus between them are one text; the kinds of their quotes do not matter here.
function joinLiterals(text: string): string {
  return text.replaceAll(SEAM, '')
}

function withoutComments(text: string): string {
  return text.replaceAll(/^\s*(?:\/\*\*?.*?\*\/|\/\/.*?$)/gms, '')
}

/** The literal that the text starts with, if one does; what is filled in becomes `<>`. */
function literalAt(text: string): string | undefined {
  if (!/^['"`]/.test(text)) {
    return undefined
  }
  let message = ''
  for (let index = 1; index < text.length; index += 1) {
    if (text.startsWith('${', index)) {
      index = endOfFilled(text, index + 2)
      message += '<>'
    } else if (/['"`]/.test(text[index] ?? '') && /^\s*[,)]/.test(text.slice(index + 1))) {
      return message
    } else {
      message += text[index] ?? ''
    }
  }
  return message
}

function endOfFilled(text: string, start: number): number {
  let depth = 1
  let index = start
  for (; index < text.length && depth > 0; index += 1) {
    depth += text[index] === '{' ? 1 : text[index] === '}' ? -1 : 0
  }
  return index - 1
}
