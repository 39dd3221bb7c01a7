/** Enqueues the work of a round, and cancels some of it. */

import { setTimeout as pause } from 'node:timers/promises'

import { DurableExecutionError, type DurableExecutor, type DurableTaskHandle } from '../../../src/index.ts'
import { between, oneOf, shuffled } from './chance.ts'
import { type Acknowledged, type CancelAnswer } from './check.ts'
import { ORDER, PAID } from './order-task.ts'
import { DEEPEST, type Flavour, treeOf } from './random-trees.ts'
import { type Tasks } from './tasks.ts'

/** How much of what there is in a round. */
export type Workload = {
  /** Plain tasks. */
  plain: number
  /** Parents with ten children and a finalize task. */
  trees: number
  /** Of each of the other kinds. */
  others: number
  /** Random trees, of up to some hundred executions each. */
  random: number
}

/** About how many executions the workload comes to, children counted. */
export function executionsOf({ plain, trees, others, random }: Workload): number {
  return plain + 12 * trees + 74 * others + 110 * random
}

/** Resolves when so much of the work may be enqueued: 0 is nothing, 1 is all. */
export type Gate = (share: number) => Promise<void>

type Order = {
  taskId: string
  input: number
  sleepMs?: number
  cancelAfterMs?: number
  signalAfterMs?: number
}

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
  'sequence',
] as const

// How often each flavour of a random tree comes up.
const FLAVOURS: readonly [Flavour, ...Array<Flavour>] = [
  ...(['sound', 'sound', 'sound', 'sound', 'sound'] as const),
  ...(['bad', 'bad', 'stuck', 'old', 'new'] as const),
]
const PATIENT = 4
const SMALLEST_TREE = 5
const LARGEST_TREE = 260

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

  /** Enqueues everything, in any order; resolves when it is acknowledged, and all cancels and signals are answered. */
  async produce(workload: Workload, gate: Gate): Promise<void> {
    const orders = shuffled(ordersOf(workload, this.#random), this.#random)
    const all = orders.length
    const following: Array<Promise<void>> = []
    const lane = async (): Promise<void> => {
      for (let order = orders.pop(); order !== undefined; order = orders.pop()) {
        await gate(1 - orders.length / all)
        const handle = await this.#enqueue(order)
        if (handle !== undefined && order.cancelAfterMs !== undefined) {
          following.push(this.#cancel(handle, order.cancelAfterMs))
        }
        if (handle !== undefined && order.signalAfterMs !== undefined) {
          following.push(this.#signal(handle.getTaskExecutionId(), order.signalAfterMs))
        }
      }
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    await Promise.all(following)
  }

  async #enqueue({ taskId, input, sleepMs = 0 }: Order): Promise<DurableTaskHandle<number> | undefined> {
    const task = this.#tasks.get(taskId) ?? { id: taskId }
    try {
      const handle = await this.#executor.enqueueTask(task, input, { sleepMsBeforeRun: sleepMs })
      this.acknowledged.push({ executionId: handle.getTaskExecutionId(), taskId: task.id, input, sleepMs })
      return handle
    } catch {
      this.refused += 1
      return undefined
    }
  }

  // Until it is answered, since who waits for it would wait for ever; and then once more, which must not count.
  async #signal(executionId: string, afterMs: number): Promise<void> {
    await pause(afterMs)
    for (let left = 2; left > 0;) {
      try {
        await this.#executor.signal(executionId, PAID, true, { idempotencyKey: 'once' })
        left -= 1
      } catch (error) {
        // One that was cancelled, or needs no other, takes none.
        if (error instanceof DurableExecutionError && error.message.includes('has finished')) {
          return
        }
        this.refused += 1
        await pause(100)
      }
    }
  }

  // What is cancelled for the sake of the round's end is tried until it is answered.
  async #cancel(handle: DurableTaskHandle<number>, afterMs: number): Promise<void> {
    await pause(afterMs)
    for (let refusals = 0; ; refusals += 1) {
      try {
        const hasCancelled = await handle.cancel()
        this.cancels.push({ executionId: handle.getTaskExecutionId(), hasCancelled, refusals })
        return
      } catch {
        this.refused += 1
        await pause(100)
      }
    }
  }
}

function ordersOf(workload: Workload, random: () => number): Array<Order> {
  const { plain, trees, others } = workload
  const many = (count: number, order: (input: number) => Order): Array<Order> =>
    Array.from({ length: count }, (_, input) => order(input))
  const soon = (longestMs: number): number => Math.floor(random() * longestMs)
  return [
    ...many(plain, (input) => ({ taskId: 'plain', input })),
    ...many(trees, (input) => ({ taskId: 'tree', input })),
    ...OTHER_KINDS.flatMap((taskId) => many(others, (input) => ({ taskId, input }))),
    ...many(4 * others, (input) => ({ taskId: ORDER, input, signalAfterMs: soon(3_000) })),
    ...many(others, (input) => ({
      taskId: ORDER,
      input,
      signalAfterMs: soon(2_000),
      cancelAfterMs: soon(4_000),
    })),
    ...many(others, (input) => ({ taskId: 'plain', input, sleepMs: 1 + soon(5_000) })),
    // These take so long that a process which stands still often does so in the middle of one.
    ...many(PATIENT * others, (input) => ({ taskId: 'patient', input })),
    ...many(others, (input) => ({ taskId: 'endless', input, cancelAfterMs: soon(10_000) })),
    ...many(others, (input) => ({ taskId: 'endless', input, sleepMs: 3_000, cancelAfterMs: soon(6_000) })),
    ...many(others, (input) => ({ taskId: 'tree', input, cancelAfterMs: soon(8_000) })),
    ...many(others, (input) => ({ taskId: 'nested', input, cancelAfterMs: soon(8_000) })),
    ...many(others, (input) => ({ taskId: 'plain', input, cancelAfterMs: soon(2_000) })),
    ...many(others, (input) => ({ taskId: 'nobody', input, cancelAfterMs: soon(10_000) })),
    ...many(workload.random, () => randomTree(random)),
  ]
}

function randomTree(random: () => number): Order {
  const flavour = oneOf(random, FLAVOURS)
  const seed = between(random, 0, 2 ** 24 - 1)
  // Squares: many small ones, and some that are large.
  const budget = SMALLEST_TREE + Math.floor(random() ** 2 * (LARGEST_TREE - SMALLEST_TREE))
  const order = treeOf({ seed, flavour, depth: oneOf(random, [1, 2, 3, DEEPEST, DEEPEST]), budget })
  // One that is stuck ends in no other way, and some others are cancelled at any moment of their lives.
  const isCancelled = flavour === 'stuck' || random() < 0.15
  return isCancelled ? { ...order, cancelAfterMs: between(random, 0, 8_000) } : order
}
