/** The functions of the schema: what must see, in one round trip, what others committed while it waited for a lock. */

import {
  CLAIM_GIVES_TYPED,
  isNamed,
  LEAST,
  namesIt,
  NULLS,
  wholeMembers,
  plainClaimText,
  priorityDueText,
  priorityTakeText,
} from './claims-texts.ts'
import { PLAN_SETTINGS } from './settings.ts'
import { type Tables } from './tables.ts'

/** What creates them. `claims-schema.ts` says what they are for. */
export function claimFunctions(tables: Tables): ReadonlyArray<string> {
  return [
    createFunction(
      `${tables.writeOut}(ids text[], statuses text[], skips_locked boolean) returns bigint`,
      writeOutBody(tables),
    ),
    createFunction(`${tables.writeOutAll}() returns bigint`, writeOutAllBody(tables)),
    createFunction(
      `${tables.dropClaims}(executor text, now_ms bigint) returns void`,
      dropClaimsBody(tables),
      true,
    ),
    createFunction(
      `${tables.openClaims}(executor text, now_ms bigint, after_start_at bigint, after_seq bigint) returns int8multirange`,
      openClaimsBody(tables),
    ),
    ...takingFunctions(tables),
  ]
}

/** The two that take rows, which version 5 of the schema makes anew. */
export function takingFunctions(tables: Tables): ReadonlyArray<string> {
  const claim = `task_ids text[], most bigint, now_ms bigint, lapses_ms bigint, lease text, executor text,
    excluded text[], losses_below bigint`
  return [
    createFunction(
      `${tables.claimPlain}(${claim}, after_start_at bigint, after_seq bigint) returns table (${CLAIM_GIVES_TYPED})`,
      plainClaimBody(tables),
    ),
    createFunction(
      `${tables.claimByPriority}(${claim}, place_priorities bigint[], place_start_ats bigint[], place_seqs bigint[])
        returns table (${CLAIM_GIVES_TYPED})`,
      priorityClaimBody(tables),
    ),
  ]
}

/**
 * Makes rows say themselves what their claims say of them; gives of how many. Rows whose status is not among the statuses are
 * neither locked nor looked at; null for all. It either waits for those that are locked, or leaves them as they are.
 */
function writeOutBody({ rows, claims }: Tables): string {
  const lock = (
    end: string,
  ): string => `select array_agg(locked.id) filter (where locked.status = 'ready') into found from (
      select given.id, e.status from unnest(ids) as given(id) cross join lateral (
        select e.status from ${rows} e
        where e.execution_id = given.id and (statuses is null or coalesce(e.status, '') = any(statuses))
        for update${end}) e) locked`
  return `declare
    found text[];
    written bigint;
  begin
    if skips_locked then
      ${lock(' skip locked')};
    else
      ${lock('')};
    end if;
    if found is null then
      return 0;
    end if;
    update ${rows} e set status = 'running', started_at = greatest(c.claimed_at, e.started_at + 1),
      expires_at = c.expires_at, updated_at = c.claimed_at, lease_id = c.lease_id, executor_id = c.executor_id
    from unnest(found) as given(id), ${claims} c
    where e.execution_id = given.id and coalesce(e.status, '') = 'ready' and ${namesIt('e.')};
    get diagnostics written = row_count;
    return written;
  end`
}

/** The same of all rows that are claimed; none is claimed from then on until the transaction ends. */
function writeOutAllBody({ claims, claimed, writeOut }: Tables): string {
  return `begin
    lock table ${claims} in share mode;
    return ${writeOut}(array(select execution_id from ${claimed} order by execution_id desc), null, false);
  end`
}

/**
 * Gives what claims name behind the place. At the start it drops those that mean nothing any more. Where a transaction that is under way keeps what
 * was dropped from being cleared away, only that walks over it.
 */
function openClaimsBody({ claims, dropClaims }: Tables): string {
  return `declare
    named int8multirange;
  begin
    if after_start_at = ${LEAST} then
      perform ${dropClaims}(executor, now_ms);
    end if;
    select range_agg(member) into named
    from ${claims} c cross join lateral unnest(c.members) as member
    where (c.last_start_at, c.last_seq) > (after_start_at, after_seq);
    return coalesce(named, '{}');
  end`
}

/** Deletes claims that mean nothing any more, of this executor and of such that have lapsed. Those that somebody holds are left. */
function dropClaimsBody({ rows, claims }: Tables): string {
  return `begin
    delete from ${claims} c using (
      select c.claim_id from ${claims} c
      cross join lateral (select ${wholeMembers('c.members')} as members offset 0) whole
      where (c.executor_id = executor or c.expires_at < now_ms)
        and not exists (select from ${rows} e where ${isNamed('whole.members')} offset 0)
      for update of c skip locked) done
    where c.claim_id = done.claim_id;
  end`
}

/**
 * Takes rows, and then looks in a new statement which of them another claim has named meanwhile: whoever has their locks now sees each
 * claim that had them before. Those are given once more, by their `seq` alone, which takes them back; and as many others are looked for.
 *
 * A claim that goes on somewhere goes on where the last claim of all processes that seek the same has ended: from its own place it would walk over all that the others claimed
 * since. With 4 processes on 2 cores (six runs each, in turn, medians) the server spent 39 µs a task from their own places, and 37 like this. Once a claim that begins
 * at the start finds what was passed by, the next ones of all processes go on from there, until there is no more of it.
 */
function plainClaimBody(tables: Tables): string {
  const { claims } = tables
  const isBehind = '(c.last_start_at, c.last_seq) > (after_start_at, after_seq)'
  return claimBody(
    tables,
    `own bigint;
    lost int8multirange;
    place record;`,
    `if after_start_at <> ${LEAST} then
      select c.last_start_at, c.last_seq into place from ${claims} c where c.sought_hash = sought
      order by c.claim_id desc limit 1;
      if found then
        after_start_at := place.last_start_at;
        after_seq := place.last_seq;
      end if;
    end if;
    loop
      taken := ${tables.openClaims}(executor, now_ms, after_start_at, after_seq);
      return query ${plainClaimText(tables)};
      get diagnostics got = row_count;
      exit when got = 0;
      own := (select max(claim_id) from ${claims} where lease_id = lease);
      lost := (select range_agg(shared) from ${claims} own_claim join ${claims} c on c.members && own_claim.members
        cross join lateral unnest(c.members * own_claim.members) as shared
        where own_claim.claim_id = own and c.claim_id < own and ${isBehind});
      exit when lost is null;
      update ${claims} set members = members - lost where claim_id = own;
      return query select ${NULLS}, one from unnest(lost) as part cross join lateral generate_series(lower(part), upper(part) - 1) as one;
      get diagnostics most = row_count;
    end loop;`,
  )
}

/** Locks rows, and then takes those that no claim has named meanwhile. */
function priorityClaimBody(tables: Tables): string {
  return claimBody(
    tables,
    'found text[];',
    `loop
      taken := ${tables.openClaims}(executor, now_ms, ${LEAST}, ${LEAST});
      found := array(${priorityDueText(tables)});
      return query ${priorityTakeText(tables)};
      get diagnostics got = row_count;
      exit when got = cardinality(found);
      most := most - got;
    end loop;`,
  )
}

// Claims that look at the same time walk over the same rows, and take them from each other. In turns each begins where the one before has ended: in those runs
// 1 row in 20 was taken in vain, and 1 in 10 from their own places. Who has waited for so long goes on all the same: nobody waits for one
// whose commit takes long.
const LONGEST_WAIT = '30 ms'

function claimBody({ rows }: Tables, variables: string, steps: string): string {
  return `#variable_conflict use_column
  declare
    taken int8multirange;
    got bigint;
    waits_until constant timestamptz := clock_timestamp() + interval '${LONGEST_WAIT}';
    sought constant bigint := hash_array_extended(task_ids collate "C", losses_below);
    ${variables}
  begin
    if current_setting('transaction_isolation') <> 'read committed' then
      raise 'claims must be made under read committed';
    end if;
    loop
      exit when pg_try_advisory_xact_lock(${turnOf(rows)}) or clock_timestamp() >= waits_until;
      perform pg_sleep(0.001);
    end loop;
    ${steps}
  end`
}

/** One number for each schema of a database, and for what is sought there. */
function turnOf(rows: string): string {
  return `hashtextextended('durable_execution claims ${rows.replaceAll("'", "''")}', sought)`
}

/**
 * With the settings of the plans as its own, since whatever a session prepares of a function it keeps. `isNeutral`: whoever may call it
 * need not have the rights to do what it does, since that changes nothing that anybody could see.
 */
function createFunction(head: string, body: string, isNeutral = false): string {
  const settings = PLAN_SETTINGS.map(([name, value]) => `set ${name} = ${value}`).join(' ')
  const rights = isNeutral ? 'security definer set search_path = pg_catalog, pg_temp' : ''
  // A schema may have any name, so that the body may hold what ends it.
  let quote = '$durable$'
  while (body.includes(quote)) {
    quote = `$d${quote.slice(1)}`
  }
  return `create or replace function ${head} language plpgsql volatile ${rights} ${settings} as ${quote} ${body}; ${quote}`
}
