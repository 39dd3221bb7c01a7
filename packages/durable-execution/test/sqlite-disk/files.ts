/** Folders, files and handles for tests; what a test opened is closed, and its folder removed, when it is over. */

import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import Better from 'better-sqlite3'
import { onTestFinished } from 'vitest'

export type Library = 'node:sqlite' | 'better-sqlite3'
export const LIBRARIES: ReadonlyArray<Library> = ['node:sqlite', 'better-sqlite3']

export type Handle = DatabaseSync | Better.Database

/** A new folder. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'durable-execution-disk-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A handle on the file. */
export function openHandle(library: Library, path: string): Handle {
  const handle = library === 'node:sqlite' ? new DatabaseSync(path) : new Better(path)
  onTestFinished(() => closeHandle(handle))
  return handle
}

/** Closes the handle, unless that was done. */
export function closeHandle(handle: Handle): void {
  if ('isOpen' in handle ? handle.isOpen : handle.open) {
    handle.close()
  }
}

/** The value of a pragma, or of the first column that a query gives. */
export function valueOf(handle: Handle, sql: string): unknown {
  const row = handle.prepare(sql).get() as Record<string, unknown> | undefined
  return Object.values(row ?? {})[0]
}

/** Everything that is in our tables, as text: equal texts are equal contents. */
export function contentsOf(handle: Handle): string {
  const hasTables = valueOf(
    handle,
    `select count(*) from sqlite_master where name like 'durable_execution_%'`,
  )
  if (hasTables === 0) {
    return '[]'
  }
  const tables = ['executions', 'children', 'schema'].map((name) =>
    handle.prepare(`select * from durable_execution_${name} order by 1`).all(),
  )
  return JSON.stringify(tables)
}

/** What SQLite itself finds wrong with the file: `ok` if nothing. */
export function integrityOf(path: string): string {
  const handle = new DatabaseSync(path)
  try {
    return String(valueOf(handle, 'pragma integrity_check'))
  } finally {
    handle.close()
  }
}

/** Copies the database and the log beside it; a log that is not there is left out. */
export function copyDatabase(
  from: string,
  to: string,
  order: ReadonlyArray<'' | '-wal'> = ['', '-wal'],
): void {
  for (const ending of order) {
    if (existsSync(from + ending)) {
      copyFileSync(from + ending, to + ending)
    }
  }
}
