/** What is as usual in a row stands in the statement: each value that is handed over costs the driver a dozen calls, and the server some work. */

import { type SqlValue } from '../sql/fields.ts'
import { type Part, type Usual } from '../sql/one-row.ts'
import { typeOf } from './schema.ts'

/** What most columns hold in the rows that are inserted. */
export const USUAL_WHEN_NEW: ReadonlyMap<string, Usual> = new Map<string, Usual>([
  ['sleep_ms_before_run', { value: 0 }],
  ['children_tasks_completed_count', { value: 0 }],
  ['is_closed', { value: 0 }],
  ['needs_promise_cancellation', { value: 0 }],
  ['retry_attempts', { value: 0 }],
  ['depth', { value: 1 }],
  ['started_at', { sameAs: 'start_at' }],
  ['created_at', { sameAs: 'start_at' }],
  ['updated_at', { sameAs: 'start_at' }],
])

/** What most columns are set to by the outcome of a run. */
export const USUAL_WHEN_SETTLED: ReadonlyMap<string, Usual> = new Map<string, Usual>([
  ['is_closed', { value: 1 }],
  ['needs_promise_cancellation', { value: 0 }],
  ['output', { sameAs: 'run_output' }],
  ['updated_at', { sameAs: 'finished_at' }],
])

/** The expressions for the parts, the first given one of which is the value after `before` others. */
export function expressionsOf(
  parts: ReadonlyArray<Part>,
  usual: ReadonlyMap<string, Usual>,
  before: number,
): Array<string> {
  const places = new Map<string, number>()
  return parts.map(({ column: { name }, kind }) => {
    if (kind === 'given') {
      places.set(name, before + places.size + 1)
    }
    return `${valueOf(name, kind, usual, places)}::${typeOf(name)}`
  })
}

function valueOf(
  name: string,
  kind: Part['kind'],
  usual: ReadonlyMap<string, Usual>,
  places: ReadonlyMap<string, number>,
): SqlValue {
  if (kind === 'given') {
    return `$${places.get(name)}`
  }
  const one = kind === 'usual' ? usual.get(name) : undefined
  if (one === undefined) {
    return 'null'
  }
  return 'sameAs' in one ? `$${places.get(one.sameAs)}` : one.value
}
