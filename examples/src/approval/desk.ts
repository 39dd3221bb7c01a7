/**
 * The website on which people ask, look and decide: `desk.ts DATABASE SERVICES`. It runs no tasks: it writes requests and
 * signals into the same file, and reads from it how far they are.
 *
 *     POST /requests            { id, what, cents, dayMs }   asks; once for each id
 *     GET  /requests/ID         how far it is
 *     POST /requests/ID/answer  { isApproved, by }           decides; once for each person
 */

import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'

import { createTransactionMutex, DurableExecutor } from 'durable-execution'
import { createSqliteStorage } from 'durable-execution/sqlite'

import { SILENT } from '../show/worker.ts'
import { type Decision, defineTasks, type Request } from './tasks.ts'

const [database = '', services = ''] = process.argv.slice(2)

const storage = createSqliteStorage({ path: database })
await storage.migrate()
// It is never started: it enqueues, signals and looks.
const executor = new DurableExecutor(storage, { logger: SILENT })
const approveRequest = defineTasks(executor, services)

const requests = new DatabaseSync(database, { timeout: 0 })
requests.exec('create table if not exists requests (id text primary key, what text, execution text not null)')
const oneAtATime = createTransactionMutex()

const BUSY = 5

/** By a timeout of its own the database would wait for the lock and block whoever holds it, if that is this process. */
async function begin(): Promise<void> {
  for (;;) {
    try {
      requests.exec('begin immediate')
      return
    } catch (error) {
      if ((error as { errcode?: number }).errcode !== BUSY) {
        throw error
      }
      await pause(5)
    }
  }
}

function executionOf(id: string): string | undefined {
  const row = requests.prepare('select execution from requests where id = ?').get(id)
  return row === undefined ? undefined : String(row['execution'])
}

/** The row of the request and its execution appear together, or not at all. */
async function ask({ dayMs, ...request }: Request & { dayMs: number }): Promise<void> {
  await oneAtATime.acquire()
  try {
    await begin()
    try {
      if (executionOf(request.id) === undefined) {
        const handle = await executor.enqueueTask(
          approveRequest,
          { request, dayMs },
          { transaction: requests },
        )
        requests
          .prepare('insert into requests values (?, ?, ?)')
          .run(request.id, request.what, handle.getTaskExecutionId())
      }
      requests.exec('commit')
    } catch (error) {
      requests.exec('rollback')
      throw error
    }
  } finally {
    oneAtATime.release()
  }
}

async function look(executionId: string): Promise<unknown> {
  const handle = await executor.getTaskHandle(approveRequest, executionId)
  const execution = await handle.getTaskExecution()
  const waitsFor = execution.status === 'ready' ? execution.suspendedFor : undefined
  return { status: execution.status, state: await handle.getState(), waitsFor }
}

async function decide(executionId: string, decision: Decision): Promise<void> {
  // Who clicks twice, or whose browser sends it again since no answer came, has decided once.
  await executor.signal(executionId, 'decision', decision, { idempotencyKey: decision.by })
}

async function answer(method: string, path: string, body: unknown): Promise<unknown> {
  const [, first, id = '', last] = path.split('/')
  if (first === 'requests' && method === 'POST' && id === '') {
    return await ask(body as Request & { dayMs: number })
  }
  const executionId = executionOf(id)
  if (first !== 'requests' || executionId === undefined) {
    throw new Error(`There is no ${path}`)
  }
  return method === 'GET'
    ? await look(executionId)
    : last === 'answer'
      ? await decide(executionId, body as Decision)
      : undefined
}

const server = createServer((request, response) => {
  void (async () => {
    const body: unknown = JSON.parse(Buffer.concat(await request.toArray()).toString() || 'null')
    const answered = await answer(request.method ?? '', request.url ?? '', body).then(
      (value) => [200, value ?? null],
      (error: unknown) => [500, { message: String(error) }],
    )
    response.writeHead(Number(answered[0])).end(JSON.stringify(answered[1]))
  })().catch(() => response.destroy())
})
server.listen(0, '127.0.0.1', () => {
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.once('SIGTERM', () => process.exit(0))
process.once('disconnect', () => process.exit(1))
