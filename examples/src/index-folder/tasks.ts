/** The tasks: one for the folder, one for each file, one that puts the report together. */

import { createHash } from 'node:crypto'
import { type Dirent } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { DurableExecutionError, type DurableExecutor, type DurableTask } from 'durable-execution'

import { createReport } from './report.ts'
import { type FileEntry, isTextFile, readTextFile, type SkippedFile } from './text-file.ts'

export type FolderInput = { root: string; reportPath: string; paceMs: number }
type FileInput = { root: string; path: string; paceMs: number }
export type FolderOutput = { reportPath: string; files: number }

export function defineTasks(executor: DurableExecutor): DurableTask<FolderInput, FolderOutput> {
  const indexFile = executor.task({
    id: 'index_file',
    timeoutMs: 60_000,
    retryOptions: { maxAttempts: 5, baseDelayMs: 100, delayMultiplier: 2 },
    run: async (ctx, { root, path, paceMs }: FileInput): Promise<FileEntry | SkippedFile> => {
      await pause(paceMs)
      // One file in ten fails at first, the way networks and disks do, and is retried.
      if (ctx.attempt === 0 && isUnlucky(path)) {
        throw new Error(`Could not read ${path}: try again`)
      }
      // A file that cannot be read is an output that says so, since a child that fails ends the whole.
      return await readTextFile(root, path)
    },
  })

  return executor.parentTask({
    id: 'index_folder',
    timeoutMs: 60_000,
    runParent: async (_ctx, { root, reportPath, paceMs }: FolderInput) => {
      const paths = await listTextFiles(root)
      return {
        output: { root, reportPath },
        childrenTasks: paths.map((path) => ({ task: indexFile, input: { root, path, paceMs } })),
      }
    },
    finalizeTask: {
      id: 'write_report',
      timeoutMs: 60_000,
      run: async (_ctx, { output, childrenTasksOutputs }): Promise<FolderOutput> => {
        const entries = childrenTasksOutputs.map((child) => child.output as FileEntry | SkippedFile)
        const report = createReport(output.root, entries)
        await writeFile(output.reportPath, `${JSON.stringify(report, null, 2)}\n`)
        return { reportPath: output.reportPath, files: report.files }
      },
    },
  })
}

function isUnlucky(path: string): boolean {
  return (createHash('sha256').update(path).digest()[0] ?? 0) % 10 === 0
}

async function listTextFiles(root: string): Promise<Array<string>> {
  const found: Array<string> = []
  const folders = [root]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await readFolder(folder, folder === root)) {
      const path = join(folder, entry.name)
      // Links are left out, or a folder that links to itself would have no end.
      if (entry.isDirectory()) {
        folders.push(path)
      } else if (entry.isFile() && isTextFile(entry.name)) {
        found.push(relative(root, path))
      }
    }
  }
  if (found.length === 0) {
    throw new DurableExecutionError(
      `there are no text files (.md, .txt, .html, README and the like) in ${root}`,
      false,
    )
  }
  return found.toSorted()
}

async function readFolder(folder: string, isRoot: boolean): Promise<Array<Dirent>> {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch (error) {
    // A folder below that may not be read is left out; without the folder itself there is nothing to do.
    if (isRoot) {
      throw new DurableExecutionError(error instanceof Error ? error.message : String(error), false, {
        cause: error,
      })
    }
    return []
  }
}
