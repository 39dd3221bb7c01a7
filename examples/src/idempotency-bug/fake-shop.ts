/** A shop for tests: what is done to it is recorded, and there the process may die. */

import { type Outside } from 'durable-execution/testing'

import { type Shop } from './tasks.ts'

export function createFakeShop(outside: Outside): Shop {
  return {
    charge: async (charge, idempotencyKey) => {
      await outside.record('charged', charge, { key: idempotencyKey })
    },
    writeReceipt: async (receipt) => {
      // A receipt replaces the one before, so writing it twice leaves one: its own number is the key.
      await outside.record('receipt', receipt, { key: receipt.order })
    },
  }
}
