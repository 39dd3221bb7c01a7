/** The limit of Postgres by itself, through `pg`: two connections, prepared statements, a partial index. */

import { Client } from 'pg'

import { INPUT, measureLimit, type RawStorage } from './batches.ts'
import { type Metrics } from '../measure/metrics.ts'

const LOOPS = 2

// The planner believes the statistics of a moment when the queue was empty; an engine has to say this too.
const OPTIONS =
  '-c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off'

const SCHEMA = `
  create table tasks (
    id bigint generated always as identity primary key, key text not null unique, queue text not null,
    status smallint not null default 0, input text not null, output text, attempts int not null default 0,
    start_at timestamptz not null default now(), expires_at timestamptz, worker text,
    created_at timestamptz not null default now(), finished_at timestamptz);
  create index on tasks (queue, start_at, id) where status = 0;
  create index on tasks (expires_at) where status = 1`

const INSERT = `insert into tasks (key, queue, input) select key, 'noop', $2 from unnest($1::text[]) as given (key)`

const CLAIM = `
  update tasks set status = 1, attempts = attempts + 1, worker = 'worker', expires_at = now() + interval '30 s'
  where id in (
    select id from tasks where queue = 'noop' and status = 0 and start_at <= now() order by start_at, id limit $1
    for update skip locked)
  returning id, input`

// The sum keeps the planner from walking the small index of what runs, dead entries and all, for each row.
const SETTLE = `
  update tasks set status = 2, output = $2, expires_at = null, finished_at = now()
  from unnest($1::bigint[]) as given (id) where tasks.id = given.id and tasks.status + 0 = 1`

export async function measurePostgresLimit(
  connectionString: string,
  amounts: { tasks: number; warm: number },
): Promise<Metrics> {
  const clients = Array.from({ length: LOOPS }, () => new Client({ connectionString, options: OPTIONS }))
  await Promise.all(clients.map((client) => client.connect()))
  await clients[0]?.query(SCHEMA)
  try {
    return await measureLimit(rawStorage(clients), amounts, LOOPS)
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
}

/** Each call goes to the connection that is free. */
function rawStorage(clients: ReadonlyArray<Client>): RawStorage {
  const free = [...clients]
  const query = async (name: string, text: string, values: Array<unknown>): Promise<Array<string>> => {
    const client = free.pop()
    if (client === undefined) {
      throw new Error('There are more loops than connections')
    }
    const { rows } = await client.query<[id: string]>({ name, text, values, rowMode: 'array' })
    free.push(client)
    return rows.map(([id]) => id)
  }
  return {
    insert: async (ids) => {
      await query('insert', INSERT, [ids, INPUT])
    },
    claim: async (limit) => await query('claim', CLAIM, [limit]),
    settle: async (ids) => {
      await query('settle', SETTLE, [ids, '{"ok":true}'])
    },
  }
}
