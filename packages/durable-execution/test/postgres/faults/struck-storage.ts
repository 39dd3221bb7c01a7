/** A storage over a line that strikes the transactions a test chooses, on the connection that each runs on. */

import { AsyncLocalStorage } from 'node:async_hooks'

import { type Pool, type PoolClient } from 'pg'

import {
  createPostgresStorage,
  type PostgresPool,
  type PostgresStorage,
} from '../../../src/storage/postgres/index.ts'
import { type DurableStorage } from '../../../src/storage/contract.ts'
import { withCallListener } from '../../../src/testing/conformance/engine/lives.ts'
import { type TransactionTrace } from '../../../src/testing/faults.ts'
import { type Wire, type WireFault } from './tcp-proxy.ts'

/** Decides, when a transaction has made its last call, what happens to it. */
type Decide = (trace: TransactionTrace) => WireFault | undefined

export type StruckStorage = DurableStorage & {
  strikeWhen: (decide: Decide | undefined) => void
  close: () => Promise<void>
}

type UnderWay = { trace: TransactionTrace; isOneCall: boolean; clientPort: number | undefined }

/** Makes the storage on a pool of clients that come to the server by the wire. */
export function createStruckStorage(
  pool: Pool,
  wire: Wire,
  { schema, statementTimeoutMs }: { schema: string; statementTimeoutMs?: number },
): StruckStorage {
  const current = new AsyncLocalStorage<UnderWay>()
  let decide: Decide | undefined
  let count = 0
  const strikeNow = ({ trace, clientPort }: UnderWay): void => {
    const fault = clientPort === undefined ? undefined : decide?.(trace)
    if (fault !== undefined && clientPort !== undefined) {
      wire.strike(clientPort, fault)
    }
  }
  const storage: PostgresStorage = createPostgresStorage({
    pool: watched(pool, (clientPort) => {
      const underWay = current.getStore()
      if (underWay !== undefined) {
        underWay.clientPort = clientPort
        // A single call is over with its statement, so there is no later moment.
        if (underWay.isOneCall) {
          strikeNow(underWay)
        }
      }
    }),
    schema,
    statementTimeoutMs,
    hints: false,
  })
  const listened = withCallListener(storage, (call) => {
    const trace = current.getStore()?.trace
    trace?.operations.push(call.operation)
    trace?.calls.push(call)
  })
  return {
    withTransaction: async (fn, hint) => {
      const trace: TransactionTrace = { index: count, operations: [], calls: [] }
      const underWay: UnderWay = { trace, isOneCall: hint?.oneCall === true, clientPort: undefined }
      count += 1
      return await current.run(underWay, async () => {
        return await listened.withTransaction(async (tx) => {
          const answer = await fn(tx)
          if (!underWay.isOneCall) {
            strikeNow(underWay)
          }
          return answer
        }, hint)
      })
    },
    strikeWhen: (next) => {
      decide = next
    },
    close: async () => {
      await storage.close()
      await pool.end()
    },
  }
}

/** The pool, telling from which port each client comes that it lends. */
function watched(pool: Pool, onLend: (clientPort: number) => void): PostgresPool {
  return {
    connect: async () => {
      const client = await pool.connect()
      onLend(portOf(client))
      return client
    },
    on: (event, listener) => pool.on(event, listener),
    off: (event, listener) => pool.off(event, listener),
  }
}

function portOf(client: PoolClient): number {
  const { connection } = client as unknown as { connection: { stream: { localPort: number } } }
  return connection.stream.localPort
}
