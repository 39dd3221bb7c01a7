/** Reads one text file: its size, hash and words, its title and its links. */

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
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

const TEXT_KINDS = new Set(['.md', '.mdx', '.txt', '.rst', '.adoc', '.org', '.html', '.htm', '.tex', '.csv'])
const TEXT_NAMES = /^(?:licen[sc]e|copying|notice|readme|changelog|authors|contributing)(?:[.-].*)?$/i

/** Whether a file of this name is taken for text. */
export function isTextFile(name: string): boolean {
  return TEXT_KINDS.has(extname(name).toLowerCase()) || (TEXT_NAMES.test(name) && extname(name) !== '.js')
}

export async function readTextFile(root: string, path: string): Promise<FileEntry> {
  const content = await readFile(`${root}/${path}`)
  const text = content.toString('utf8')
  return {
    path,
    kind: extname(path).toLowerCase() || '(none)',
    bytes: content.byteLength,
    sha256: createHash('sha256').update(content).digest('hex'),
    lines: text === '' ? 0 : text.split('\n').length,
    words: text.match(/[\p{L}\p{N}'’-]+/gu)?.length ?? 0,
    title: findTitle(text),
    links: findLinks(text),
  }
}

function findTitle(text: string): string {
  const heading = /^#{1,6}\s+(.+?)\s*#*$/m.exec(text)?.[1] ?? /<title[^>]*>([^<]*)<\/title>/i.exec(text)?.[1]
  const first = heading ?? text.split('\n').find((line) => line.trim() !== '') ?? ''
  return first.trim().slice(0, 120)
}

function findLinks(text: string): Array<string> {
  const found = text.match(/https?:\/\/[^\s<>()[\]"'`]+/g) ?? []
  return [...new Set(found.map((link) => link.replace(/[.,;:]+$/, '')))].toSorted()
}
