/** Reads one text file: its size, hash and words, its title and its links. */

import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { extname } from 'node:path'

/** What the report says of one file. */
export type FileEntry = {
  path: string
  kind: string
  bytes: number
  sha256: string
  lines: number
  words: number
  title: string
  links: Array<string>
}

/** A file that is left out, and why: it will not become readable by trying again. */
export type SkippedFile = { path: string; skippedBecause: string }

const TEXT_KINDS = new Set(['.md', '.mdx', '.txt', '.rst', '.adoc', '.org', '.html', '.htm', '.tex', '.csv'])
const TEXT_NAMES = /^(?:licen[sc]e|copying|notice|readme|changelog|authors|contributing)(?:[.-].*)?$/i
const OTHER_KINDS = new Set(['.js', '.ts', '.json', '.gz', '.xz', '.bz2', '.zst', '.zip', '.png', '.pdf'])

// A task's output is a row in the storage: what it holds must have a bound, whatever the file.
const MOST_BYTES = 16 * 1024 * 1024
const MOST_LINKS = 1_000
const HEAD_LENGTH = 64 * 1024

/** Whether a file of this name is taken for text. */
export function isTextFile(name: string): boolean {
  const kind = extname(name).toLowerCase()
  return TEXT_KINDS.has(kind) || (TEXT_NAMES.test(name) && !OTHER_KINDS.has(kind))
}

/** Reads the file, or says why it cannot. Rejects with what may be better the next time. */
export async function readTextFile(root: string, path: string): Promise<FileEntry | SkippedFile> {
  try {
    const { size } = await stat(`${root}/${path}`)
    if (size > MOST_BYTES) {
      return { path, skippedBecause: `larger than ${MOST_BYTES / 1024 / 1024} MB` }
    }
    const content = await readFile(`${root}/${path}`)
    return content.subarray(0, HEAD_LENGTH).includes(0)
      ? { path, skippedBecause: 'not text' }
      : describeText(path, content)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EACCES' || code === 'EPERM' || code === 'ENOENT') {
      return { path, skippedBecause: code === 'ENOENT' ? 'not there' : 'no permission' }
    }
    throw error
  }
}

function describeText(path: string, content: Buffer): FileEntry {
  const text = content.toString('utf8')
  return {
    path,
    kind: extname(path).toLowerCase() || '(none)',
    bytes: content.byteLength,
    sha256: createHash('sha256').update(content).digest('hex'),
    lines: text === '' ? 0 : text.split('\n').length,
    words: text.match(/[\p{L}\p{N}'’-]+/gu)?.length ?? 0,
    title: findTitle(text.slice(0, HEAD_LENGTH)),
    links: findLinks(text),
  }
}

function findTitle(head: string): string {
  const lines = head.split('\n').map((line) => line.trim().slice(0, 200))
  const heading = lines.find((line) => /^#{1,6}\s+[^\s#]/.test(line))?.replace(/^#+\s+/, '')
  const title = heading ?? /<title[^<>]{0,200}>([^<]{1,200})<\/title>/i.exec(head)?.[1]
  return (title ?? lines.find((line) => line !== '') ?? '').trim().slice(0, 120)
}

function findLinks(text: string): Array<string> {
  const found = new Set<string>()
  for (const [link] of text.matchAll(/https?:\/\/[^\s<>()[\]"'`]{1,500}/g)) {
    found.add(link.replace(/[.,;:]+$/, ''))
    if (found.size === MOST_LINKS) {
      break
    }
  }
  return [...found].toSorted()
}
