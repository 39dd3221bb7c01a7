/** Reads what the tests of the documentation need of a Markdown text: fenced blocks, headings, links. */

/** A fenced block. */
export type Fence = {
  language: string
  /** The words after the language. */
  flags: ReadonlyArray<string>
  code: string
  /** The line of the first line of the code, from 1. */
  line: number
}

export type Link = { target: string; line: number }

const FENCE = /^(\s*)(`{3,})\s*(\S*)\s*(.*)$/

/** The fenced blocks, in their order. A fence may be indented, as in a list. */
export function fencesOf(text: string): Array<Fence> {
  const fences: Array<Fence> = []
  const lines = text.split('\n')
  for (let index = 0; index < lines.length; index += 1) {
    const opening = FENCE.exec(lines[index] ?? '')
    if (opening === null) {
      continue
    }
    const [, indent = '', ticks = '', language = '', rest = ''] = opening
    const first = index + 1
    index = first
    while (index < lines.length && lines[index]?.trim() !== ticks) {
      index += 1
    }
    const code = lines.slice(first, index).map((line) => withoutIndent(line, indent.length))
    const flags = rest.split(/\s+/).filter((flag) => flag !== '')
    fences.push({ language, flags, code: code.join('\n'), line: first + 1 })
  }
  return fences
}

/** The text with its fenced blocks blanked, so that lines keep their numbers. */
function withoutFences(text: string): string {
  const lines = text.split('\n')
  for (const { code, line } of fencesOf(text)) {
    for (let index = line - 2; index < line + code.split('\n').length; index += 1) {
      lines[index] = ''
    }
  }
  return lines.join('\n')
}

/** The anchors that links may name, made from the headings as GitHub makes them. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading = ''] of withoutFences(text).matchAll(/^#{1,6}\s+(.*?)\s*#*$/gm)) {
    const anchor = anchorOf(heading)
    let unique = anchor
    for (let count = 1; anchors.has(unique); count += 1) {
      unique = `${anchor}-${count}`
    }
    anchors.add(unique)
  }
  return anchors
}

/** The links and images that do not lead to another site. */
export function relativeLinksOf(text: string): Array<Link> {
  const links: Array<Link> = []
  for (const [index, line] of withoutFences(text).split('\n').entries()) {
    const prose = line.replaceAll(/`[^`]*`/g, '')
    for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)[^)]*\)/g)) {
      if (!/^[a-z][a-z+.-]*:/i.test(target)) {
        links.push({ target, line: index + 1 })
      }
    }
  }
  return links
}

function anchorOf(heading: string): string {
  const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
  return words
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-')
}

function withoutIndent(line: string, width: number): string {
  return line.slice(0, width).trim() === '' ? line.slice(width) : line
}
