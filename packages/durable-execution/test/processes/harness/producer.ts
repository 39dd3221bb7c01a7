/** Enqueues the work of a round, and cancels some of it. */

import { setTimeout as pause } from 'node:timers/promises'

import { type DurableExecutor, type DurableTaskHandle } from '../../../src/index.ts'
import { type Acknowledged, type CancelAnswer } from './check.ts'
import { type Tasks } from './tasks.ts'

/** How much of what there is in a round. */
export type Workload = {
  /** Plain tasks. */
  plain: number
  /** Parents with ten children and a finalize task. */
  trees: number
  /** Of each of the other kinds. */
  others: number
}

/** About how many executions the workload comes to, children counted. */
export function executionsOf({ plain, trees, others }: Workload): number {
  return plain + 12 * trees + 50 * others
}

type Order = { taskId: string; input: number; sleepMs?: number; cancelAfterMs?: number }

const LANES = 32

// Each gets its share of `others`.
const OTHER_KINDS = [
  'nested',
  'bad_tree',
  'bad_finalize',
  'late',
  'too_late',
  'only_old',
  'only_new',
  'new_tree',
] as const

/** What the producer has seen of the engine's answers. */
export class Producer {
  readonly acknowledged: Array<Acknowledged> = []
  readonly cancels: Array<CancelAnswer> = []
  /** Enqueues and cancels that the storage did not answer; nothing follows from them. */
  refused = 0
  readonly #executor: DurableExecutor
  readonly #tasks: Tasks
  readonly #random: () => number

  constructor(executor: DurableExecutor, tasks: Tasks, random: () => number) {
    this.#executor = executor
    this.#tasks = tasks
    this.#random = random
  }

  /** Enqueues everything, in any order; resolves when it is acknowledged, and all cancels are answered. */
  async produce(workload: Workload): Promise<void> {
    const orders = shuffled(ordersOf(workload, this.#random), this.#random)
    const cancelling: Array<Promise<void>> = []
    const lane = async (): Promise<void> => {
      for (let order = orders.pop(); order !== undefined; order = orders.pop()) {
        const handle = await this.#enqueue(order)
        if (handle !== undefined && order.cancelAfterMs !== undefined) {
          cancelling.push(this.#cancel(handle, order.cancelAfterMs))
        }
      }
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    await Promise.all(cancelling)
  }

  async #enqueue({ taskId, input, sleepMs = 0 }: Order): Promise<DurableTaskHandle<number> | undefined> {
    const task = this.#tasks.get(taskId) ?? { id: taskId }
    try {
      const handle = await this.#executor.enqueueTask(task, input, { sleepMsBeforeRun: sleepMs })
      this.acknowledged.push({ executionId: handle.getTaskExecutionId(), taskId, input, sleepMs })
      return handle
    } catch {
      this.refused += 1
      return undefined
    }
  }

  // What is cancelled for the sake of the round's end is tried until it is answered.
  async #cancel(handle: DurableTaskHandle<number>, afterMs: number): Promise<void> {
    await pause(afterMs)
    for (;;) {
      try {
        const hasCancelled = await handle.cancel()
        this.cancels.push({ executionId: handle.getTaskExecutionId(), hasCancelled })
        return
      } catch {
        this.refused += 1
        await pause(100)
      }
    }
  }
}

function ordersOf({ plain, trees, others }: Workload, random: () => number): Array<Order> {
  const many = (count: number, order: (input: number) => Order): Array<Order> =>
    Array.from({ length: count }, (_, input) => order(input))
  const soon = (longestMs: number): number => Math.floor(random() * longestMs)
  return [
    ...many(plain, (input) => ({ taskId: 'plain', input })),
    ...many(trees, (input) => ({ taskId: 'tree', input })),
    ...OTHER_KINDS.flatMap((taskId) => many(others, (input) => ({ taskId, input }))),
    ...many(others, (input) => ({ taskId: 'plain', input, sleepMs: 1 + soon(5_000) })),
    ...many(others, (input) => ({ taskId: 'endless', input, cancelAfterMs: soon(10_000) })),
    ...many(others, (input) => ({ taskId: 'endless', input, sleepMs: 3_000, cancelAfterMs: soon(6_000) })),
    ...many(others, (input) => ({ taskId: 'tree', input, cancelAfterMs: soon(8_000) })),
    ...many(others, (input) => ({ taskId: 'nested', input, cancelAfterMs: soon(8_000) })),
    ...many(others, (input) => ({ taskId: 'plain', input, cancelAfterMs: soon(2_000) })),
  ]
}

function shuffled<T>(items: Array<T>, random: () => number): Array<T> {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1))
    const [moved] = items.splice(last, 1, ...items.slice(other, other + 1))
    items.splice(other, 1, ...(moved === undefined ? [] : [moved]))
  }
  return items
}
