/** Puts the entries of all files together: a report to keep, and a table to look at. */

import { type FileEntry, type SkippedFile } from './text-file.ts'

/** What is written to `report.json`. It depends on the files alone: not on when, or how often, the work was interrupted. */
export type Report = {
  root: string
  files: number
  bytes: number
  words: number
  links: number
  kinds: Array<{ kind: string; files: number; bytes: number; words: number; links: number }>
  entries: Array<FileEntry>
  skipped: Array<SkippedFile>
}

const MOST_KINDS = 10

export function createReport(root: string, files: ReadonlyArray<FileEntry | SkippedFile>): Report {
  const entries = files.filter((file): file is FileEntry => 'kind' in file)
  const skipped = files.filter((file): file is SkippedFile => 'skippedBecause' in file)
  const kinds = new Map<string, Report['kinds'][number]>()
  for (const entry of entries) {
    const sum = kinds.get(entry.kind) ?? { kind: entry.kind, files: 0, bytes: 0, words: 0, links: 0 }
    sum.files += 1
    sum.bytes += entry.bytes
    sum.words += entry.words
    sum.links += entry.links.length
    kinds.set(entry.kind, sum)
  }
  const sumOf = (field: 'bytes' | 'words' | 'links'): number =>
    [...kinds.values()].reduce((total, kind) => total + kind[field], 0)
  return {
    root,
    files: entries.length,
    bytes: sumOf('bytes'),
    words: sumOf('words'),
    links: sumOf('links'),
    kinds: [...kinds.values()].toSorted((a, b) => b.words - a.words || (a.kind < b.kind ? -1 : 1)),
    entries: entries.toSorted(byPath),
    skipped: skipped.toSorted(byPath),
  }
}

function byPath(a: { path: string }, b: { path: string }): number {
  return a.path < b.path ? -1 : 1
}

/** The report as a table of kinds and of the longest files. */
export function formatReport(report: Report): string {
  const kinds = formatTable(
    ['kind', 'files', 'KB', 'words', 'links'],
    [
      ...report.kinds
        .slice(0, MOST_KINDS)
        .map((kind) => [toShown(kind.kind), kind.files, toKilobytes(kind.bytes), kind.words, kind.links]),
      ['total', report.files, toKilobytes(report.bytes), report.words, report.links],
    ],
  )
  const longest = report.entries.toSorted((a, b) => b.words - a.words).slice(0, 5)
  const files = formatTable(
    ['longest files', 'words', 'title'],
    longest.map((entry) => [
      keepEnd(toShown(entry.path), 48),
      entry.words,
      keepStart(toShown(entry.title), 40),
    ]),
  )
  return [kinds, files, ...formatSkipped(report.skipped)].join('\n\n')
}

function formatSkipped(skipped: ReadonlyArray<SkippedFile>): Array<string> {
  const [first] = skipped
  return first === undefined
    ? []
    : [`${skipped.length} left out, such as ${keepEnd(toShown(first.path), 48)}: ${first.skippedBecause}`]
}

function toKilobytes(bytes: number): number {
  return Math.round(bytes / 1024)
}

// Names and titles are somebody else's text: control characters in it would steer the terminal.
function toShown(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?')
}

function keepStart(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`
}

function keepEnd(text: string, length: number): string {
  return text.length <= length ? text : `…${text.slice(text.length - length + 1)}`
}

function formatTable(heads: Array<string>, rows: Array<Array<string | number>>): string {
  const cells = [heads, ...rows.map((row) => row.map(String))]
  const widths = heads.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)))
  const isNumber = heads.map((_, column) => rows.every((row) => typeof row[column] === 'number'))
  const lines = cells.map((row) =>
    row
      .map((cell, column) =>
        isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
  const rule = widths.map((width) => '─'.repeat(width)).join('  ')
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}
