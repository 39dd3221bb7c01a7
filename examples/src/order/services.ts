/** The companies that an order needs: one takes the money, one has the goods, one sends mail. Stand-ins, over http. */

import { type Question, Refusal, type Service } from '../show/outside.ts'

type About = { order: string }

/** Takes money, and gives it back. */
export class Bank {
  readonly #paid = new Map<string, number>()
  readonly #closed = new Set<string>()

  /** What it has of all orders. */
  get balance(): number {
    return [...this.#paid.values()].reduce((sum, cents) => sum + cents, 0)
  }

  charge({ body }: Question<About & { cents: number; card: string }>): { payment: string } {
    if (body.card === 'declined') {
      throw new Refusal(402, 'The card was declined')
    }
    this.#refuseClosed(body.order)
    this.#paid.set(body.order, body.cents)
    return { payment: `payment of ${body.order}` }
  }

  /** Gives back what was paid, if anything was, and takes nothing for that order any more: a charge may be on its way. */
  refund({ body }: Question<About>): { refunded: number } {
    const refunded = this.#paid.get(body.order) ?? 0
    this.#paid.delete(body.order)
    this.#closed.add(body.order)
    return { refunded }
  }

  #refuseClosed(order: string): void {
    if (this.#closed.has(order)) {
      throw new Refusal(409, `${order} is closed`)
    }
  }
}

/** Lays goods aside for orders, and puts them back. */
export class Warehouse {
  /** What is on the shelf, by item. */
  readonly shelf: Record<string, number>
  readonly #aside = new Map<string, string>()
  readonly #closed = new Set<string>()

  constructor(shelf: Record<string, number>) {
    this.shelf = shelf
  }

  reserve({ body }: Question<About & { item: string }>): { parcel: string } {
    const left = this.shelf[body.item] ?? 0
    if (left === 0 || this.#closed.has(body.order)) {
      throw new Refusal(409, left === 0 ? `${body.item} is sold out` : `${body.order} is closed`)
    }
    this.shelf[body.item] = left - 1
    this.#aside.set(body.order, body.item)
    return { parcel: `parcel of ${body.order}` }
  }

  putBack({ body }: Question<About>): { putBack: number } {
    const item = this.#aside.get(body.order)
    this.#aside.delete(body.order)
    this.#closed.add(body.order)
    if (item === undefined) {
      return { putBack: 0 }
    }
    this.shelf[item] = (this.shelf[item] ?? 0) + 1
    return { putBack: 1 }
  }
}

export function createServices(bank: Bank, warehouse: Warehouse): Record<string, Service> {
  return {
    charge: (question: Question<About & { cents: number; card: string }>) => bank.charge(question),
    refund: (question: Question<About>) => bank.refund(question),
    reserve: (question: Question<About & { item: string }>) => warehouse.reserve(question),
    put_back: (question: Question<About>) => warehouse.putBack(question),
    mail: ({ body }: Question<About & { to: string }>) => {
      if (!body.to.includes('@')) {
        throw new Refusal(422, `${body.to} is no address`)
      }
    },
  }
}
