/** The story behind a finding: what happened to its execution, and to the processes around that time. */

import { type Evidence, type Finding } from './check.ts'
import { isStandstill } from './ledger.ts'

// A lease, and as long again on both sides.
const AROUND_MS = 8_000

/** A line for each thing that happened, in order of time, in milliseconds from the first. */
export function storyOf({ ledger, disturbances, rows }: Evidence, { executionId }: Finding): Array<string> {
  const row = rows.find((one) => one.executionId === executionId)
  const own = ledger.filter((line) => line.executionId === executionId)
  const times = [
    ...own.map(({ at }) => at),
    ...[row?.createdAt, row?.finishedAt].flatMap((moment) =>
      moment === undefined ? [] : [moment.getTime()],
    ),
  ]
  if (times.length === 0) {
    return []
  }
  const from = Math.min(...times)
  const until = Math.max(...times)
  const isNear = ({ at }: { at: number }): boolean => at >= from - AROUND_MS && at <= until + AROUND_MS
  const standstills = ledger.filter(isStandstill).filter(isNear)
  return [
    ...own.map(({ at, what, attempt, pid }) => ({ at, text: `${what} of attempt ${attempt} in ${pid}` })),
    ...disturbances.filter(isNear).map(({ at, until, kind, pid }) => ({
      at,
      text: `${kind} of ${pid ?? 'all'}${until > at ? ` for ${until - at} ms` : ''}`,
    })),
    ...standstills.map(({ at, pid, what }) => ({
      at,
      text: what === 'stall' ? `${pid} stood still` : `${pid} waited for the lock`,
    })),
    ...(row === undefined ? [] : [{ at: row.createdAt.getTime(), text: 'created' }]),
    ...(row?.startedAt === undefined
      ? []
      : [{ at: row.startedAt.getTime(), text: 'claimed, as the row says' }]),
    ...(row?.finishedAt === undefined
      ? []
      : [{ at: row.finishedAt.getTime(), text: `${row.status}, as the row says` }]),
  ]
    .toSorted((one, other) => one.at - other.at)
    .map(({ at, text }) => `${at - from} ms: ${text}`)
}
