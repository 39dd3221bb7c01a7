/** What there is in the schema, by the names that statements use. */

/** Names with their schema, as they stand in statements. */
export type Tables = {
  /** One row an execution, in which some say of themselves what is not true any more. `seq` is the order of insertion. */
  readonly rows: string
  /** One row for each batch of rows that a claim took. */
  readonly claims: string
  /** A view of the executions as they are in truth. */
  readonly executions: string
  /** A view of the executions that are running since a claim says so, and not they themselves. */
  readonly claimed: string
  readonly claimPlain: string
  readonly claimByPriority: string
  readonly openClaims: string
  readonly dropClaims: string
  readonly writeOut: string
  readonly writeOutAll: string
}

/** The names in the schema. */
export function tablesOf(schema: string): Tables {
  const named = (name: string): string => qualified(schema, name)
  return {
    rows: named('execution_rows'),
    claims: named('claims'),
    executions: named('executions'),
    claimed: named('claimed_executions'),
    claimPlain: named('claim_plain'),
    claimByPriority: named('claim_by_priority'),
    openClaims: named('open_claims'),
    dropClaims: named('drop_claims'),
    writeOut: named('write_out'),
    writeOutAll: named('write_out_all'),
  }
}

/** The name of something in the schema, as it stands in statements. */
export function qualified(schema: string, name: string): string {
  return `${quoted(schema)}.${name}`
}

/** The name as it stands in statements, whatever characters it has. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** The priority of a row. The index of the ready rows begins with it. */
export const PRIORITY = 'coalesce(priority, 0)'
