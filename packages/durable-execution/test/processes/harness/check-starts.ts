/** What must hold between the ledger and the rows: how often, when and where functions were started. */

import { type Disturbance, type DisturbanceKind, type Evidence, type Report } from './check.ts'
import { isOfRun, isStandstill, type LedgerLine } from './ledger.ts'
import { ORDER } from './order-task.ts'
import { isSequenceStep, KNOWN_TO } from './tasks.ts'
import { type ExecutionRow } from '../../../src/machine/execution.ts'

// Rows carry the storage's time, as each process has measured it from afar, and the ledger the machine's. Where
// more processes want to run than there are cores, such a measurement is off by some 100 ms.
const CLOCK_SLACK_MS = 250

// Within this time after a stall, what the process had begun before it is over too.
const AFTER_STALL_MS = 2_500

// What a process takes for the storage's time may be off by a third of its lease; one that lost it is later than that.
const CLAIM_SLACK_MS = 700

// A claim that is on its way when a cancel commits starts its function a little after.
const LATE_SLACK_MS = 1_000

/** Checks each execution's lines against its row. */
export function checkStarts(evidence: Evidence, report: Report): void {
  const lines = new Map<string, Array<LedgerLine>>()
  for (const line of evidence.ledger) {
    if (isOfRun(line)) {
      const group = lines.get(line.executionId) ?? []
      lines.set(line.executionId, group)
      group.push(line)
    }
  }
  const explanations = explanationsOf(evidence)
  const rows = new Map(evidence.rows.map((row) => [row.executionId, row]))
  for (const [executionId, group] of lines) {
    const row = rows.get(executionId)
    if (row === undefined) {
      report('nothing is lost', executionId, `${group[0]?.taskId} has run, and is not there`)
      continue
    }
    checkRepeats(row, group, explanations, report)
    checkTimes(evidence, row, group, report)
    checkLateStarts(evidence, row, group, explanations, report)
    checkKnowledge(evidence, row, group, report)
  }
  checkCompleted(evidence, lines, report)
  checkSleeps(evidence, lines, report)
}

/** What happened to processes that may have cost them a lease, or let them act late. */
export type Explanations = {
  /** Whether the process may have lost, between the two moments, a lease that it held at the first. */
  mayHaveLost: (pid: number, since: number, until: number) => boolean
  /** Whether the process stood still before that moment, and so may do late what it had begun. */
  mayBeLate: (pid: number, at: number) => boolean
}

// What takes nobody's lease: a lost connection is opened anew, and who joins takes only what is free.
const HARMLESS: ReadonlySet<DisturbanceKind> = new Set<DisturbanceKind>(['disconnect', 'join'])
// What is over at last, and then goes on with what it was doing.
const DELAYING: ReadonlySet<DisturbanceKind> = new Set<DisturbanceKind>(['stall', 'lock', 'outage'])

/** What was done to the processes, as far as it explains what they did. */
export function explanationsOf({ disturbances, ledger }: Evidence): Explanations {
  const stalls = ledger
    .filter(isStandstill)
    .map(({ pid, at, attempt: ms }): Disturbance => ({ kind: 'stall', pid, at, until: at + ms }))
  const all = [...disturbances.filter(({ kind }) => !HARMLESS.has(kind)), ...stalls]
  const byPid = Map.groupBy(all, ({ pid }) => pid)
  const of = (pid: number): typeof all => [...(byPid.get(pid) ?? []), ...(byPid.get(undefined) ?? [])]
  return {
    mayHaveLost: (pid, since, until) =>
      of(pid).some((one) => one.until >= since - CLOCK_SLACK_MS && one.at <= until + CLOCK_SLACK_MS),
    mayBeLate: (pid, at) =>
      of(pid).some((one) => DELAYING.has(one.kind) && one.at <= at && at <= one.until + AFTER_STALL_MS),
  }
}

/**
 * Starts ≤ 1 + retries + losses + releases. A row forgets its losses when an attempt settles, so each start
 * beyond the first of an attempt must be explained by what was done to the process of the one before.
 */
function checkRepeats(
  row: ExecutionRow,
  group: ReadonlyArray<LedgerLine>,
  { mayHaveLost, mayBeLate }: Explanations,
  report: Report,
): void {
  const starts = group.filter(({ what }) => what === 'start').toSorted((a, b) => a.at - b.at)
  const complain = (sentence: string): void => report('starts are explained', row.executionId, sentence)
  for (const [index, start] of starts.entries()) {
    const before = starts[index - 1]
    if (before === undefined || start.attempt > before.attempt || mayBeLate(start.pid, start.at)) {
      continue
    }
    if (start.attempt < before.attempt) {
      complain(`${row.taskId} began attempt ${start.attempt} after attempt ${before.attempt}`)
    } else if (!mayHaveLost(before.pid, before.at, start.at) && !mayBeLate(before.pid, before.at)) {
      const what = `${row.taskId} began attempt ${start.attempt} again after ${start.at - before.at} ms`
      complain(`${what}, and nothing had happened to ${before.pid}`)
    }
  }
  if (starts.some(({ attempt }) => attempt > row.retryAttempts)) {
    complain(`${row.taskId} began an attempt that the row does not count: ${row.retryAttempts} retries`)
  }
}

/** Nothing before its time: by the row itself without any slack, and by the ledger for every start. */
function checkTimes(
  { offsets }: Evidence,
  row: ExecutionRow,
  group: ReadonlyArray<LedgerLine>,
  report: Report,
): void {
  const { executionId, taskId, startAt, startedAt } = row
  if (startedAt !== undefined && startedAt < startAt && row.status === 'completed') {
    const sentence = `${taskId} was claimed ${startAt.getTime() - startedAt.getTime()} ms too early`
    report('nothing runs before its time', executionId, sentence)
  }
  // What one process writes into a row another one compares with its own clock; so must who judges them.
  const seenBy = ({ at, pid }: LedgerLine): number => at + (offsets.get(pid) ?? 0)
  for (const start of group.filter(({ what }) => what === 'start')) {
    const [at, { attempt }] = [seenBy(start), start]
    const dueAt = row.createdAt.getTime() + row.sleepMsBeforeRun
    if (at < dueAt - CLOCK_SLACK_MS) {
      report('nothing runs before its time', executionId, `${taskId} began ${dueAt - at} ms too early`)
    }
    const failures = group.filter((line) => line.what === 'fail' && line.attempt === attempt - 1)
    const retryAt = Math.min(...failures.map(seenBy)) + (row.retryOptions.baseDelayMs ?? 0)
    if (failures.length > 0 && at < retryAt - CLOCK_SLACK_MS) {
      const sentence = `attempt ${attempt} of ${taskId} began ${retryAt - at} ms too early`
      report('nothing runs before its time', executionId, sentence)
    }
  }
}

/** Nothing that was told to be over begins again. */
function checkLateStarts(
  { clockSlackMs }: Evidence,
  row: ExecutionRow,
  group: ReadonlyArray<LedgerLine>,
  { mayBeLate }: Explanations,
  report: Report,
): void {
  const finishedAt = row.finishedAt?.getTime() ?? Infinity
  for (const { what, at, pid } of group) {
    if (what === 'start' && at > finishedAt + LATE_SLACK_MS + clockSlackMs && !mayBeLate(pid, at)) {
      const sentence = `${row.taskId} began ${at - finishedAt} ms after it was ${row.status}`
      report('nothing runs after its outcome', row.executionId, sentence)
    }
  }
}

function checkKnowledge(
  { versions }: Evidence,
  row: ExecutionRow,
  group: ReadonlyArray<LedgerLine>,
  report: Report,
): void {
  const knower = KNOWN_TO.get(row.taskId)
  for (const { pid } of group) {
    if (knower !== undefined && versions.get(pid) !== knower) {
      const sentence = `${row.taskId} ran in ${pid}, which has the code ${versions.get(pid) ?? 'of nobody'}`
      report('unknown tasks are left alone', row.executionId, sentence)
    }
  }
}

/**
 * An output without a run that returned it comes from nowhere; and one whose run had begun before the row's last claim
 * comes from somebody who had lost the row by then.
 */
function checkCompleted(
  { rows, offsets }: Evidence,
  lines: ReadonlyMap<string, ReadonlyArray<LedgerLine>>,
  report: Report,
): void {
  const seenBy = ({ at, pid }: LedgerLine): number => at + (offsets.get(pid) ?? 0)
  for (const { executionId, taskId, status, retryAttempts, startedAt, finishedAt } of rows) {
    if (status !== 'completed' || isSequenceStep(taskId) || taskId === ORDER) {
      continue
    }
    const own = lines.get(executionId)?.filter(({ attempt }) => attempt === retryAttempts) ?? []
    const ends = own.filter(({ what }) => what === 'end')
    const earliest = (startedAt?.getTime() ?? Infinity) - CLAIM_SLACK_MS
    const latest = (finishedAt?.getTime() ?? -Infinity) + CLAIM_SLACK_MS
    const isOfLastClaim = (end: LedgerLine): boolean =>
      own.some(
        ({ what, pid, at }) => what === 'start' && pid === end.pid && seenBy({ ...end, at }) >= earliest,
      )
    if (ends.length === 0) {
      report('what is completed has run', executionId, `${taskId} is completed, and no run of it has ended`)
    } else if (!ends.some((end) => seenBy(end) <= latest && isOfLastClaim(end))) {
      const sentence = `${taskId} is completed, and no run that began with its last claim had ended by then`
      report('what is completed has run', executionId, sentence)
    }
  }
}

/** What was enqueued for later has kept its pause. */
function checkSleeps(
  { acknowledged, rows }: Evidence,
  lines: ReadonlyMap<string, ReadonlyArray<LedgerLine>>,
  report: Report,
): void {
  const sleeps = new Map(rows.map((row) => [row.executionId, row.sleepMsBeforeRun]))
  for (const { executionId, sleepMs } of acknowledged) {
    if (sleepMs > 0 && sleeps.get(executionId) !== sleepMs && lines.has(executionId)) {
      const sentence = `it was to sleep ${sleepMs} ms, and its row says ${sleeps.get(executionId)}`
      report('nothing runs before its time', executionId, sentence)
    }
  }
}
