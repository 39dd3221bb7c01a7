/**
 * The TypeScript snippets of the documentation. Each block of the language `ts` is a program of its own;
 * `continue` makes it the next part of the program before it in the same file, and `no-run` says that the
 * program only shows a shape: it is compiled and not run. So is one that imports vitest, which runs under
 * nothing else.
 */

import { fencesOf } from './markdown.ts'
import { documents, sources, type Text } from './places.ts'

/** A part of a program, and where it stands. */
type SnippetPart = { code: string; path: string; line: number }

/** A program: a block and those that continue it. */
export type Snippet = {
  /** A file name, unique. */
  name: string
  /** Where its first part stands: `path:line`. */
  place: string
  parts: ReadonlyArray<SnippetPart>
  isRun: boolean
}

const FLAGS: ReadonlySet<string> = new Set(['continue', 'no-run'])

/** All programs: of the documents, and of the comments of the published sources. */
export function collectSnippets(): Array<Snippet> {
  const texts = [...documents(), ...sources().map(onlyComments)]
  return texts.flatMap(snippetsOf)
}

/** The program as one module; each line of a part stands on a line of the module. */
export function moduleOf({ parts }: Snippet): string {
  return `${parts.map(({ code }) => code).join('\n')}\nexport {}\n`
}

/** Where a line of the module stands in the documentation. */
export function placeOfLine({ parts }: Snippet, moduleLine: number): string {
  let first = 1
  for (const { code, path, line } of parts) {
    const next = first + code.split('\n').length
    if (moduleLine < next) {
      return `${path}:${line + moduleLine - first}`
    }
    first = next
  }
  return 'after its end'
}

/** What the program says that it writes: the texts after `// →`, in their order. */
export function promisedLinesOf({ parts }: Snippet): Array<string> {
  return parts.flatMap(({ code }) => [...code.matchAll(/\/\/ → (.*)$/gm)].map(([, text = '']) => text.trim()))
}

function snippetsOf({ path, text }: Text): Array<Snippet> {
  const snippets: Array<{ name: string; place: string; parts: Array<SnippetPart>; isRun: boolean }> = []
  for (const { language, flags, code, line } of fencesOf(text)) {
    if (language !== 'ts') {
      continue
    }
    const unknown = flags.find((flag) => !FLAGS.has(flag))
    if (unknown !== undefined) {
      throw new Error(`${path}:${line}: a snippet cannot be "${unknown}", only ${[...FLAGS].join(' or ')}`)
    }
    const part = { code, path, line }
    const isRun = !flags.includes('no-run') && !/from 'vitest'/.test(code)
    if (!flags.includes('continue')) {
      const name = `${path.replaceAll(/[^\w]+/g, '-')}-${line}`
      snippets.push({ name, place: `${path}:${line}`, parts: [part], isRun })
      continue
    }
    const before = snippets.at(-1)
    if (before === undefined) {
      throw new Error(`${path}:${line}: there is no snippet before it to continue`)
    }
    before.parts.push(part)
    before.isRun &&= isRun
  }
  return snippets
}

/** The comments of a source, without their stars; everything else is blank, so that lines keep their numbers. */
function onlyComments({ path, text }: Text): Text {
  const comments = /^[ \t]*\/\*\*.*?\*\//gms
  const kept: Array<string> = []
  let isAt = 0
  for (const { 0: comment, index } of text.matchAll(comments)) {
    kept.push(text.slice(isAt, index).replaceAll(/[^\n]/g, ''))
    kept.push(comment.replaceAll(/^[ \t]*(?:\/\*\*|\*\/|\* ?)/gm, ''))
    isAt = index + comment.length
  }
  return { path, text: kept.join('') }
}
