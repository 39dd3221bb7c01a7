/** Indexes a folder, or goes on with what an earlier process began and did not finish. */

import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import {
  DurableExecutor,
  type DurableStorage,
  type DurableTaskFinishedExecution,
  type DurableTaskHandle,
} from 'durable-execution'
import { createSqliteStorage } from 'durable-execution/sqlite'

import { Progress } from './progress.ts'
import { formatReport, type Report } from './report.ts'
import { defineTasks, type FolderInput, type FolderOutput } from './tasks.ts'

export type IndexOptions = { root: string; outFolder: string; paceMs: number; isJson: boolean }

export type IndexResult = {
  executionId: string
  isContinued: boolean
  files: number
  kept: number
  retried: number
  reportPath: string
}

export async function indexFolder(options: IndexOptions): Promise<IndexResult> {
  await mkdir(options.outFolder, { recursive: true })
  const storage = createSqliteStorage({ path: join(options.outFolder, 'state.db') })
  const executor = new DurableExecutor(storage, {
    // What a crash costs: after so long, what the dead process was running is taken over.
    expireMs: 2_000,
    maxConcurrentTaskExecutions: 16,
    // Failed attempts are part of this show and are counted at its end.
    logger: { debug: () => {}, info: () => {}, error: () => {} },
  })
  try {
    return await runToTheEnd(executor, storage, options)
  } finally {
    // Whatever happens: a started executor keeps its process alive until it is shut down.
    await executor.shutdown()
    await storage.close()
  }
}

async function runToTheEnd(
  executor: DurableExecutor,
  storage: DurableStorage,
  options: IndexOptions,
): Promise<IndexResult> {
  const indexTask = defineTasks(executor)
  const input: FolderInput = {
    root: options.root,
    reportPath: join(options.outFolder, 'report.json'),
    paceMs: options.paceMs,
  }
  const unfinished = await findUnfinished(storage, input, options.outFolder)
  const kept = unfinished === undefined ? 0 : (await countFiles(storage, unfinished)).done
  if (unfinished !== undefined && !options.isJson) {
    console.log(`Going on where the last process stopped: ${kept} files are done and are kept.`)
  }
  await executor.start()
  const handle =
    unfinished === undefined
      ? await executor.enqueueTask(indexTask, input)
      : await executor.getTaskHandle(indexTask, unfinished)

  const result = await watch(handle, storage, new Progress(!options.isJson, kept))
  const { total, retried } = await countFiles(storage, handle.getTaskExecutionId())
  if (!options.isJson) {
    const report = JSON.parse(await readFile(result.reportPath, 'utf8')) as Report
    console.log(`\n${formatReport(report)}\n`)
  }
  return {
    executionId: handle.getTaskExecutionId(),
    isContinued: unfinished !== undefined,
    files: total,
    kept,
    retried,
    reportPath: result.reportPath,
  }
}

async function watch(
  handle: DurableTaskHandle<FolderOutput>,
  storage: DurableStorage,
  progress: Progress,
): Promise<FolderOutput> {
  const finished = handle.waitAndGetTaskFinishedExecution()
  let isFinished = false
  const stopped = finished.then(
    () => (isFinished = true),
    () => (isFinished = true),
  )
  while (!isFinished) {
    const { done, total } = await countFiles(storage, handle.getTaskExecutionId())
    progress.show(done, total)
    await Promise.race([stopped, pause(100)])
  }
  const { done, total } = await countFiles(storage, handle.getTaskExecutionId())
  progress.show(done, total)
  progress.end()
  const execution = await finished
  if (execution.status !== 'completed') {
    throw new Error(`The folder could not be indexed: ${describeEnd(execution)}`)
  }
  return execution.output
}

function describeEnd(execution: DurableTaskFinishedExecution<FolderOutput>): string {
  switch (execution.status) {
    case 'completed':
      return 'it was'
    case 'children_tasks_failed':
      return execution.childrenTasksErrors.map(({ error }) => error.message).join('; ')
    case 'finalize_task_failed':
      return execution.finalizeTaskError.message
    case 'failed':
    case 'timed_out':
    case 'cancelled':
      return execution.error.message
  }
}

/** An execution over the same folder that a process began and nobody finished. */
async function findUnfinished(
  storage: DurableStorage,
  input: FolderInput,
  outFolder: string,
): Promise<string | undefined> {
  const rows = await storage.withTransaction(
    async (tx) =>
      await tx.getTaskExecutions({
        type: 'by_statuses',
        statuses: ['ready', 'running', 'waiting_for_children_tasks', 'waiting_for_finalize_task'],
      }),
  )
  const folders = rows.filter((row) => row.taskId === 'index_folder')
  const rootOf = (row: (typeof rows)[number]): string => (JSON.parse(row.runInput) as FolderInput).root
  const other = folders.find((row) => rootOf(row) !== input.root)
  if (other !== undefined) {
    // Whoever starts here finishes what is there, and two folders would write one report.
    throw new Error(
      `${outFolder} holds unfinished work on ${rootOf(other)}. Run that first, ` +
        `or forget it with --fresh, or keep this run elsewhere with --out`,
    )
  }
  return folders[0]?.executionId
}

async function countFiles(
  storage: DurableStorage,
  executionId: string,
): Promise<{ done: number; total: number; retried: number }> {
  return await storage.withTransaction(async (tx) => {
    const [folder] = await tx.getTaskExecutions({ type: 'by_execution_ids', executionIds: [executionId] })
    const executionIds = folder?.childrenTasks?.map((child) => child.executionId) ?? []
    if (executionIds.length === 0) {
      return { done: 0, total: 0, retried: 0 }
    }
    const files = await tx.getTaskExecutions({ type: 'by_execution_ids', executionIds })
    return {
      done: files.filter((file) => file.status === 'completed').length,
      total: files.length,
      retried: files.filter((file) => file.retryAttempts > 0).length,
    }
  })
}
