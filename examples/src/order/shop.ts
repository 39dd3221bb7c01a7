/** The shop: it writes orders into the storage and waits for their ends, and never runs one itself. */

import { setTimeout as pause } from 'node:timers/promises'

import { DurableExecutor, type DurableTask, type DurableTaskHandle } from 'durable-execution'
import { createSqliteStorage } from 'durable-execution/sqlite'

import { defineTasks, type Order, type Receipt } from './tasks.ts'

/** What became of an order. If it was not delivered, all that was done for it is undone. */
export type Placed = { order: Order; isDelivered: boolean; isCancelled: boolean }

export class Shop {
  readonly #storage: ReturnType<typeof createSqliteStorage>
  readonly #executor: DurableExecutor
  readonly #placeOrder: DurableTask<Order, Receipt>
  readonly #handles = new Map<string, DurableTaskHandle<Receipt>>()
  readonly #say: (line: string) => void

  constructor(database: string, services: string, say: (line: string) => void) {
    this.#storage = createSqliteStorage({ path: database })
    this.#executor = new DurableExecutor(this.#storage)
    this.#placeOrder = defineTasks(this.#executor, services)
    this.#say = say
  }

  /** Resolves when all orders have come to their end. */
  async place(orders: ReadonlyArray<Order>): Promise<Array<Placed>> {
    const handles = await this.#executor.enqueueTasks(this.#placeOrder, orders)
    for (const [index, { id }] of orders.entries()) {
      const handle = handles[index]
      if (handle !== undefined) {
        this.#handles.set(id, handle)
      }
    }
    return await Promise.all(orders.map(async (order) => await this.#watch(order)))
  }

  /** The buyer thinks better of it. */
  async cancel(orderId: string): Promise<void> {
    await this.#handles.get(orderId)?.cancel()
  }

  async close(): Promise<void> {
    await this.#executor.shutdown()
    await this.#storage.close()
  }

  async #watch(order: Order): Promise<Placed> {
    const handle = this.#handles.get(order.id)
    const end = await handle?.waitAndGetTaskFinishedExecution()
    if (handle === undefined || end?.status === 'completed') {
      this.#say(`${order.id} is delivered`)
      return { order, isDelivered: true, isCancelled: false }
    }
    const undone = await this.#waitUntilUndone(handle)
    const why = end?.status === 'failed' ? `has failed: ${end.error.message}` : `is ${end?.status}`
    this.#say(`${order.id} ${why}; done: ${undone}`)
    return { order, isDelivered: false, isCancelled: end?.status === 'cancelled' }
  }

  /** The end of an order is final at once; what it did is undone right after, by an execution of its own. */
  async #waitUntilUndone(handle: DurableTaskHandle<Receipt>): Promise<string> {
    for (;;) {
      const { compensation } = await handle.getTaskExecution()
      if (compensation !== undefined) {
        // It gives the names of what was undone.
        const undoing = await this.#executor.getTaskHandle<Order, Array<string>>(
          { id: compensation.taskId },
          compensation.executionId,
        )
        const end = await undoing.waitAndGetTaskFinishedExecution()
        return end.status === 'completed' ? end.output.join(', ') : end.status
      }
      await pause(50)
    }
  }
}
