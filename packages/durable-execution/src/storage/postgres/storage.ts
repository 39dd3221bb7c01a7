/** The Postgres storage: a pool of connections, and one more that listens. */

import { DurableExecutionError } from '../../base/errors.ts'
import { systemIds } from '../../base/ids.ts'
import { InFlight } from '../../base/in-flight.ts'
import { type DurableStorage, type DurableStorageTx } from '../contract.ts'
import { type Connections, createConnections, type Loan, openClient, takeOut } from './connections.ts'
import { type Answer, type Given } from './driver.ts'
import { toPayload } from './hints.ts'
import { joinTransaction } from './join.ts'
import { createListening } from './listening.ts'
import { createStatementNames } from './names.ts'
import { createNotify } from './notifying.ts'
import { createOperations } from './operations.ts'
import { type CheckedOptions, checkOptions, type PostgresStorageOptions } from './options.ts'
import { assertSchema, assertServer, migrateSchema } from './schema.ts'
import { runOneCall, runTransaction } from './session.ts'
import { runShared } from './share.ts'
import { arePinned, READ_SETTINGS, type SettingsScope } from './settings.ts'
import { tablesOf } from './tables.ts'
import { type Place } from './transaction.ts'
import { Turns } from './turns.ts'

/**
 * A storage that keeps its rows in Postgres.
 *
 * @category Postgres
 */
export type PostgresStorage = DurableStorage & {
  /** The server's clock. */
  getCurrentTime: () => Promise<Date>
  /** The operations inside a {@link PostgresTransaction} of yours. */
  joinTransaction: (transaction: object) => Promise<DurableStorageTx>
  /** Creates or updates the tables. Repeating it is fine, in any number of processes at once. */
  migrate: () => Promise<void>
  /**
   * Waits for the transactions that were asked for, then closes the connections that the storage opened.
   * Repeating it is fine; any other call is refused from then on.
   */
  close: () => Promise<void>
  /** The same as `close`. */
  [Symbol.asyncDispose]: () => Promise<void>
}

/**
 * Creates a storage that keeps its rows in Postgres, 14 or later. It is there at once; the first connection
 * is opened, and the tables created or updated, before the first transaction.
 *
 * Any number of processes may use one database at once. Transactions run in parallel, each on a connection
 * of its own, under READ COMMITTED whatever the database's default. It works through a transaction-mode
 * pooler: nothing is left on a connection between transactions, except by LISTEN, which needs
 * `listenConnectionString` or `hints: false` there.
 *
 * @param options - Where the rows are, and how they are reached.
 * @throws A non-retryable {@link DurableExecutionError} if the options are wrong.
 *
 * @example
 * ```ts
 * import { createPostgresStorage } from 'durable-execution/postgres'
 *
 * await using storage = createPostgresStorage({ connectionString: 'postgresql://localhost/app' })
 * ```
 *
 * @category Postgres
 */
export function createPostgresStorage(options: PostgresStorageOptions): PostgresStorage {
  const checked = checkOptions(options)
  const connections = createConnections(checked)
  const operations = createOperations(tablesOf(checked.schema))
  const names = createStatementNames(systemIds.newId())
  const underWay = new InFlight()
  // A function of the user's may hold its connection for long: half of them are left for the engine.
  const shareTurns = new Turns(Math.max(1, Math.floor(connections.max / 2)))
  let preparing: Promise<SettingsScope> | undefined
  let scope: SettingsScope | undefined
  let closing: Promise<void> | undefined

  const tracked = <T>(work: () => Promise<T>): Promise<T> =>
    closing === undefined
      ? underWay.run(work)
      : Promise.reject(new DurableExecutionError('The Postgres storage is closed', false))
  const prepared = async (): Promise<SettingsScope> => {
    preparing ??= prepare(connections, checked)
    const used = preparing
    try {
      scope = await used
      return scope
    } catch (error) {
      // The next one tries again.
      if (preparing === used) {
        preparing = undefined
      }
      throw error
    }
  }
  const placeOf = (settings: SettingsScope): Place => ({
    connections,
    operations,
    scope: settings,
    statementTimeoutMs: checked.statementTimeoutMs,
    // A pool of the user's may lead anywhere, and without the settings a pooler stands between.
    names: connections.areOwn() && settings === 'connection' ? names : undefined,
  })
  const inPlace = <T>(work: (place: Place) => Promise<T>): Promise<T> =>
    scope === undefined ? prepared().then((known) => work(placeOf(known))) : work(placeOf(scope))
  const runAlone = async (text: string, values: Array<Given> = []): Promise<Answer['rows']> =>
    await withLoan(connections, async (loan) => (await loan.ask(text, values)).rows)
  const hints = checked.hasHints ? createHints(checked, connections, runAlone, tracked) : undefined

  const closeOnce = async (): Promise<void> => {
    await hints?.stop()
    await underWay.idle()
    await connections.close()
  }
  const close = async (): Promise<void> => {
    closing ??= closeOnce()
    await closing
  }

  return {
    withTransaction: (fn, hint) =>
      tracked(() =>
        inPlace((place) => (hint?.oneCall === true ? runOneCall(place, fn) : runTransaction(place, fn))),
      ),
    getCurrentTime: async () =>
      await tracked(async () => {
        const [row] = await runAlone('select floor(extract(epoch from clock_timestamp()) * 1000)::bigint')
        return new Date(row?.[0] as number)
      }),
    ...hints?.members,
    joinTransaction: async (transaction) =>
      await tracked(async () => {
        // On a connection of the storage, since the user's is in the middle of something else.
        await prepared()
        return joinTransaction(transaction, { operations, schema: checked.schema, hints: hints?.ofJoined })
      }),
    shareTransaction: async (use, keep) =>
      await tracked(async () => await shareTurns.take(() => inPlace((place) => runShared(place, use, keep)))),
    migrate: async () =>
      await tracked(async () => await withLoan(connections, (loan) => migrateSchema(loan, checked.schema))),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** What must be so before the first transaction; tells whether the connections have the settings already. */
async function prepare(
  connections: Connections,
  { schema, migrates }: CheckedOptions,
): Promise<SettingsScope> {
  return await withLoan(connections, async (loan) => {
    const { rows: versions } = await loan.ask(`select current_setting('server_version_num')`)
    assertServer(versions[0]?.[0])
    await (migrates ? migrateSchema(loan, schema) : assertSchema(loan, schema))
    const { rows } = await loan.ask(READ_SETTINGS)
    return arePinned(rows[0] ?? []) ? 'connection' : 'transaction'
  })
}

async function withLoan<T>(connections: Connections, work: (loan: Loan) => Promise<T>): Promise<T> {
  const loan = await connections.lend()
  try {
    const answer = await work(loan)
    loan.end()
    return answer
  } catch (error) {
    loan.end(error)
    throw error
  }
}

type Hints = {
  members: Pick<Required<DurableStorage>, 'onChange' | 'notifyChange'>
  ofJoined: { channel: string; sender: string }
  stop: () => Promise<void>
}

function createHints(
  { source, schema, listenConnectionString }: CheckedOptions,
  connections: Connections,
  runAlone: (text: string, values: Array<Given>) => Promise<unknown>,
  tracked: <T>(work: () => Promise<T>) => Promise<T>,
): Hints {
  const channel = `${schema}_changes`
  const sender = systemIds.newId()
  const connectionString =
    listenConnectionString ?? (source.kind === 'pool' ? undefined : source.connectionString)
  const listening = createListening({
    open: () => (connectionString === undefined ? takeOut(connections) : openClient(connectionString)),
    channel,
    sender,
  })
  const notify = createNotify(async (hint) => {
    // A hint that a crash of the server loses has nobody left to tell, so its commit need not wait for the disk.
    await runAlone(`select pg_notify($1, $2), set_config('synchronous_commit', 'off', true)`, [
      channel,
      toPayload({ from: sender, hint }),
    ])
  })
  return {
    members: {
      onChange: async (listener) => await tracked(() => listening.add(listener)),
      notifyChange: async (hint) => await tracked(() => notify(hint)),
    },
    // By another name than our own: this storage too learns of such a commit only from the server.
    ofJoined: { channel, sender: systemIds.newId() },
    stop: () => listening.stop(),
  }
}
