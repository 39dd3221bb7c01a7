/** A ledger that Postgres itself keeps of all that was committed: what happened twice is seen though the rows look right. */

import { Client } from 'pg'

/** What the ledger says. */
export type Audit = {
  /** What is wrong with it, each as a sentence. */
  findings: () => Promise<Array<string>>
  /** The tasks whose runs lost their lease, one for each loss. */
  losses: () => Promise<Array<string>>
}

const FINISHED = `('completed', 'failed', 'timed_out', 'cancelled', 'children_tasks_failed', 'finalize_task_failed')`

const KEEP_LEDGER = (schema: string): string => `
  create table "${schema}".ledger (
    entry bigint generated always as identity, execution_id text, task_id text,
    was text, became text, was_closed smallint, is_closed smallint,
    was_started_at bigint, started_at bigint, was_outcome text, outcome text
  );
  create function "${schema}".enter() returns trigger language plpgsql as $$
  begin
    insert into "${schema}".ledger (execution_id, task_id, was, became, was_closed, is_closed,
      was_started_at, started_at, was_outcome, outcome)
    values (new.execution_id, new.task_id, old.status, new.status, old.is_closed, new.is_closed,
      old.started_at, new.started_at,
      concat_ws('|', old.output, old.error, old.finished_at), concat_ws('|', new.output, new.error, new.finished_at));
    return null;
  end $$;
  create trigger enter after insert or update on "${schema}".execution_rows
    for each row execute function "${schema}".enter();`

/** The claims that must hold, each with the entries that contradict it. */
const CLAIMS = (ledger: string): ReadonlyArray<readonly [sentence: string, query: string]> => [
  [
    'a finished row changed its outcome',
    `select execution_id from ${ledger} where was in ${FINISHED} and (became <> was or outcome <> was_outcome)`,
  ],
  [
    'an execution finished twice',
    `select execution_id from ${ledger} where became in ${FINISHED} and was is distinct from became
       group by execution_id having count(*) > 1`,
  ],
  [
    'an execution was closed twice',
    `select execution_id from ${ledger} where is_closed = 1 and was_closed is distinct from 1
       group by execution_id having count(*) > 1`,
  ],
  [
    'an execution was started though it was not ready',
    `select execution_id from ${ledger}
       where became = 'running' and was is not null and was <> 'ready' and started_at <> was_started_at`,
  ],
  [
    'a claim was not later than the one before',
    `select execution_id from ${ledger}
       where became = 'running' and was = 'ready' and was_started_at is not null and started_at <= was_started_at`,
  ],
]

/** Lets the server keep a ledger of the executions in the schema, whose tables must be there. */
export async function keepLedger(connectionString: string, schema: string): Promise<Audit> {
  await withClient(connectionString, async (client) => await client.query(KEEP_LEDGER(schema)))
  return {
    findings: async () =>
      await withClient(connectionString, async (client) => {
        const findings: Array<string> = []
        for (const [sentence, query] of CLAIMS(`"${schema}".ledger`)) {
          const { rows } = await client.query<{ execution_id: string }>(query)
          findings.push(...rows.map((row) => `${sentence}: ${row.execution_id}`))
        }
        return findings
      }),
    losses: async () =>
      await withClient(connectionString, async (client) => {
        const { rows } = await client.query<{ task_id: string }>(
          `select task_id from "${schema}".ledger
             where was = 'running' and became <> 'running' and outcome like '%Task expired%' order by entry`,
        )
        return rows.map((row) => row.task_id)
      }),
  }
}

async function withClient<T>(connectionString: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
