/** A steady stream of tasks through one executor: plain ones, some that are retried, small trees, and some that are cancelled. */

import { setTimeout as pause } from 'node:timers/promises'

import {
  DurableExecutor,
  type DurableStorage,
  type DurableTask,
} from '../../packages/durable-execution/src/index.ts'

const TICK_MS = 10
// A storage that cannot keep up is given no more than this at a time.
const MOST_IN_FLIGHT = 300
const CHILDREN = 5
const TIMEOUT_MS = 60_000
// Of so many units one is retried, one is a tree, one is cancelled, and the rest are plain.
const KINDS = 10

// What a cancelled function still has to hear, and what was told to wait for it, is over by then.
const REST_MS = 1_500

type NumberTask = DurableTask<number, number>
type Tasks = { plain: NumberTask; retried: NumberTask; tree: NumberTask; endless: NumberTask }

export class Load {
  /** Executions that have ended. */
  executions = 0
  /** Units that did not end as they should. */
  readonly wrong: Array<string> = []
  readonly #executor: DurableExecutor
  readonly #tasks: Tasks
  readonly #perSecond: number
  #inFlight = 0
  #begun = 0
  #ticker: NodeJS.Timeout | undefined

  constructor(storage: DurableStorage, perSecond: number) {
    const quiet = (): void => {}
    this.#executor = new DurableExecutor(storage, { logger: { debug: quiet, info: quiet, error: quiet } })
    this.#tasks = defineTasks(this.#executor)
    this.#perSecond = perSecond
  }

  async start(): Promise<void> {
    await this.#executor.start()
    this.resume()
  }

  /** Enqueues at the rate, until it is told to rest. */
  resume(): void {
    let [lastAt, due] = [performance.now(), 0]
    this.#ticker = setInterval(() => {
      const now = performance.now()
      due += ((now - lastAt) / 1_000) * this.#perSecond
      lastAt = now
      while (due > 0 && this.#inFlight < MOST_IN_FLIGHT) {
        due -= this.#begin()
      }
      // What could not be begun in time is not made up for: the rate is steady, or as high as it can be.
      due = Math.min(due, this.#perSecond)
    }, TICK_MS)
  }

  /** Resolves when all that was begun has ended. */
  async rest(): Promise<void> {
    clearInterval(this.#ticker)
    while (this.#inFlight > 0) {
      await pause(TICK_MS)
    }
    await pause(REST_MS)
  }

  async stop(): Promise<void> {
    await this.rest()
    await this.#executor.shutdown()
  }

  /** Begins a unit of work; gives how many executions it has. */
  #begin(): number {
    this.#begun += 1
    this.#inFlight += 1
    const kind = this.#begun % KINDS
    const size = kind === 1 ? CHILDREN + 2 : 1
    const unit = kind === 2 ? this.#cancelOne() : this.#runOne(kind)
    unit
      .catch((error: unknown) => {
        this.wrong.push(String(error))
      })
      .finally(() => {
        this.#inFlight -= 1
        this.executions += size
      })
    return size
  }

  async #runOne(kind: number): Promise<void> {
    const { plain, retried, tree } = this.#tasks
    const task = kind === 0 ? retried : kind === 1 ? tree : plain
    const input = this.#begun
    const handle = await this.#executor.enqueueTask(task, input)
    const end = await handle.waitAndGetTaskFinishedExecution()
    const wanted = task === tree ? sumOfTree(input) : input + 1
    if (end.status !== 'completed' || end.output !== wanted) {
      this.wrong.push(`${task.id} of ${input} is ${end.status}`)
    }
  }

  async #cancelOne(): Promise<void> {
    const handle = await this.#executor.enqueueTask(this.#tasks.endless, this.#begun)
    await pause(this.#begun % 50)
    await handle.cancel()
    const { status } = await handle.waitAndGetTaskFinishedExecution()
    if (status !== 'cancelled') {
      this.wrong.push(`endless is ${status}`)
    }
  }
}

function defineTasks(executor: DurableExecutor): Tasks {
  const plain = executor.task({ id: 'plain', timeoutMs: TIMEOUT_MS, run: (_ctx, input: number) => input + 1 })
  const retried = executor.task({
    id: 'retried',
    timeoutMs: TIMEOUT_MS,
    retryOptions: { maxAttempts: 1, baseDelayMs: 5 },
    run: (ctx, input: number) => {
      if (ctx.attempt === 0) {
        throw new Error('The first attempt fails')
      }
      return input + 1
    },
  })
  const tree = executor.parentTask<number, number, number>({
    id: 'tree',
    timeoutMs: TIMEOUT_MS,
    runParent: (_ctx, input) => ({
      output: input,
      childrenTasks: Array.from({ length: CHILDREN }, (_, index) => ({ task: plain, input: input + index })),
    }),
    finalizeTask: {
      id: 'sum',
      timeoutMs: TIMEOUT_MS,
      run: (_ctx, { childrenTasksOutputs }) =>
        childrenTasksOutputs.reduce((total, child) => total + (child.output as number), 0),
    },
  })
  const endless = executor.task({
    id: 'endless',
    timeoutMs: TIMEOUT_MS,
    run: async (ctx, input: number) => {
      await pause(TIMEOUT_MS * 2, undefined, { signal: ctx.abortSignal })
      return input
    },
  })
  return { plain, retried, tree, endless }
}

function sumOfTree(input: number): number {
  return CHILDREN * (input + 1) + (CHILDREN * (CHILDREN - 1)) / 2
}
