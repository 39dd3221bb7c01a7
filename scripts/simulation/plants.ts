/**
 * Faults that can be planted in the engine for the simulator to find: pieces of its source that are replaced while it is
 * loaded. A plant that does not fit the source any more is an error, not a silence.
 */

import { registerHooks } from 'node:module'

/** A piece of one source file, and the wrong one that takes its place. */
type Patch = { file: string; from: string; to: string }

/** A fault. */
export type Plant = { name: string; what: string; patches: ReadonlyArray<Patch> }

const ATTEMPT = 'machine/attempt.ts'
const SETTLE = 'store/settle.ts'

export const PLANTS: ReadonlyArray<Plant> = [
  {
    name: 'no-lease-guard',
    what: 'an outcome is written to whatever runs, whoever holds it',
    patches: [
      {
        file: ATTEMPT,
        from: `return row.status === 'running' && wasClaimedBy(row, lease)`,
        to: `return row.status === 'running' && lease !== undefined`,
      },
      {
        file: SETTLE,
        from: 'statuses: RUNNING, leaseId: claimed.leaseId, update',
        to: 'statuses: RUNNING, update',
      },
    ],
  },
  {
    name: 'no-status-guard',
    what: 'an outcome is written whatever the status of the row is by now',
    patches: [
      {
        file: SETTLE,
        from: `['statuses']> = ['running']`,
        to: `['statuses']> = ['running', 'ready', 'cancelled', 'failed', 'completed', 'timed_out']`,
      },
    ],
  },
  {
    name: 'no-parent-lock',
    what: 'a child is counted over a parent that was read without a lock',
    patches: [
      {
        file: SETTLE,
        from: 'const rows = withInputs(await lockRows(tx, ids, new Date(now)), settlements)',
        to: `const own = settlements.map(({ event }) => event.executionId)
  const rows = withInputs(await lockRows(tx, own, new Date(now)), settlements)
  for (const row of await tx.getTaskExecutions({ type: 'by_execution_ids', executionIds: ids })) {
    if (!rows.has(row.executionId)) rows.set(row.executionId, row)
  }`,
      },
    ],
  },
  {
    name: 'a-lease-is-stolen',
    what: 'recovery does not look again whether the lease it found lapsed was renewed',
    patches: [{ file: ATTEMPT, from: 'row.expiresAt.getTime() >= now', to: 'row.expiresAt.getTime() < 0' }],
  },
  {
    name: 'losses-not-counted',
    what: 'a lapsed lease puts the row back without counting',
    patches: [{ file: ATTEMPT, from: '(row.losses ?? 0) + 1', to: '(row.losses ?? 0)' }],
  },
  {
    name: 'retries-not-counted',
    what: 'a failed attempt is put back without counting',
    patches: [
      {
        file: ATTEMPT,
        from: 'retryAttempts: row.retryAttempts + 1',
        to: 'retryAttempts: row.retryAttempts',
      },
    ],
  },
  {
    name: 'a-lapsed-lease-is-kept',
    what: 'a row that was lost keeps the deadline of its old lease',
    patches: [
      {
        file: ATTEMPT,
        from: `startAt: new Date(nextAttemptAfterLossAt(losses, now)),
    unsetExpiresAt: true,`,
        to: 'startAt: new Date(nextAttemptAfterLossAt(losses, now)),',
      },
    ],
  },
  {
    name: 'a-zombie-renews',
    what: 'a run renews the lease of whoever holds its row now',
    patches: [
      {
        file: ATTEMPT,
        from: 'return holdsLease(row, event.lease) ? { expiresAt',
        to: `return row.status === 'running' ? { expiresAt`,
      },
    ],
  },
  {
    name: 'nobody-recovers',
    what: 'leases lapse, and nobody looks for them',
    patches: [
      {
        file: 'store/recover.ts',
        from: 'const quiet = await nextLapseIfQuiet(transact, doors)',
        to: 'const quiet = { nextLapseAt: undefined as Date | undefined }',
      },
    ],
  },
  {
    name: 'a-later-insert-counts-as-claimed',
    what: 'a row that a second try inserted is run under the lease that the first one would have given it',
    patches: [
      {
        file: 'store/insert.ts',
        from: 'return claimed !== undefined && holdsSameLease(found, claimed)',
        to: 'return claimed !== undefined',
      },
    ],
  },
  {
    name: 'an-outage-convicts',
    what: 'connections that break three times at the outcome of one run make it fail',
    patches: [{ file: 'executor/committer.ts', from: 'if (isOfTheMoment(error) || ', to: 'if (' }],
  },
  {
    name: 'works-without-the-time',
    what: "an executor that could not read the storage's clock yet works by its own",
    patches: [
      {
        file: 'executor/runtime.ts',
        from: 'knowTime: () => (this.#clock.isUnknown ? this.#clock.refresh() : undefined)',
        to: 'knowTime: () => undefined',
      },
    ],
  },
  {
    name: 'closed-before-the-cascade',
    what: 'a row that ended badly is closed before what is below it is cancelled',
    patches: [
      {
        file: 'machine/transition.ts',
        from: 'return isBelowClosed\n',
        to: 'return isBelowClosed !== null\n',
      },
    ],
  },
  {
    name: 'a-child-counts-twice',
    what: 'each completed child adds two to the count',
    patches: [
      {
        file: 'machine/parent.ts',
        from: 'parent.childrenTasksCompletedCount + 1',
        to: 'parent.childrenTasksCompletedCount + 2',
      },
    ],
  },
  {
    name: 'the-last-child-moves-nobody',
    what: 'all children are counted, and the parent goes on waiting',
    patches: [
      {
        file: 'machine/parent.ts',
        from: 'return completed === childrenCount(parent)',
        to: 'return completed > childrenCount(parent)',
      },
    ],
  },
  {
    name: 'timeouts-pass-unnoticed',
    what: 'an attempt goes on beyond its timeout',
    patches: [
      {
        file: 'executor/runs.ts',
        from: '#timeOut(run: Run): void {',
        to: '#timeOut(run: Run): void {\n    if (run.row !== undefined) return',
      },
    ],
  },
]

/** The source as the plant leaves it; undefined for a file that it does not touch. */
export function patched(plant: Plant, path: string, source: string): string | undefined {
  const patches = plant.patches.filter(({ file }) => path.endsWith(`/durable-execution/src/${file}`))
  return patches.length === 0
    ? undefined
    : patches.reduce((text, { file, from, to }) => {
        if (text.split(from).length !== 2) {
          throw new Error(`The plant ${plant.name} does not fit ${file} any more: look for "${from}"`)
        }
        return text.replace(from, () => to)
      }, source)
}

/** From now on the engine is loaded with the fault in it. */
export function plant(chosen: Plant): void {
  registerHooks({
    load: (url, context, next) => {
      const loaded = next(url, context)
      const text =
        typeof loaded.source === 'string'
          ? loaded.source
          : new TextDecoder().decode(loaded.source ?? undefined)
      const source = patched(chosen, url, text)
      return source === undefined ? loaded : { ...loaded, source }
    },
  })
}
