/** The same questions asked of the tables themselves, past the engine and its storages. */

import { type Finding } from './check.ts'
import { ORDER } from './order-task.ts'
import { type Place } from './places.ts'

type Question = { promise: Finding['promise']; sentence: string; sql: (table: string) => string }

/** Each answers with the ids of the executions that break the promise. */
const QUESTIONS: ReadonlyArray<Question> = [
  {
    promise: 'nothing is stuck',
    sentence: 'it is not finished, or not closed',
    sql: (table) => `select execution_id from ${table} where finished_at is null or is_closed = 0`,
  },
  {
    promise: 'each parent is finalized once',
    sentence: 'it has several finalize executions',
    sql: (table) =>
      `select parent_execution_id from ${table} where is_finalize_task = 1 group by parent_execution_id having count(*) > 1`,
  },
  {
    promise: 'the rows agree with each other',
    // Durable code counts for itself what it awaits.
    sentence: 'it counts other children than are completed',
    sql: (table) =>
      `select p.execution_id from ${table} p join ${table} c on c.parent_execution_id = p.execution_id
       where coalesce(c.is_finalize_task, 0) = 0 and p.task_id <> '${ORDER}'
       group by p.execution_id, p.children_tasks_completed_count
       having p.children_tasks_completed_count <> sum(case when c.status = 'completed' and c.is_closed = 1 then 1 else 0 end)`,
  },
  {
    promise: 'nothing is lost',
    sentence: 'its parent is not there',
    sql: (table) =>
      `select c.execution_id from ${table} c left join ${table} p on p.execution_id = c.parent_execution_id
       where c.parent_execution_id is not null and p.execution_id is null`,
  },
  {
    promise: 'one outcome',
    sentence: 'its status and its output do not go together',
    sql: (table) => `select execution_id from ${table} where (status = 'completed') <> (output is not null)`,
  },
]

/** Asks all. */
export async function checkWithSql({
  query,
  table,
}: Pick<Place, 'query' | 'table'>): Promise<Array<Finding>> {
  const findings: Array<Finding> = []
  for (const { promise, sentence, sql } of QUESTIONS) {
    for (const [executionId] of await query(sql(table))) {
      findings.push({ promise, executionId: String(executionId), sentence: `${sentence} (by SQL)` })
    }
  }
  return findings
}
