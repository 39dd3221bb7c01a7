/** What the long runs of one engine come to, as a table. */

/** A line of the log, as far as it is summed. */
export type LoggedRun = Readonly<Record<string, unknown>> & {
  kind: string
  commit: string
  isDirty: boolean
  date: string
  /** Why the run says nothing of the engine, if it does not: added by hand, and shown below the table. */
  leftOut?: string
}

type Total = {
  what: string
  runs: number
  minutes: number
  counts: Map<string, number>
  notes: Array<string>
}

const COUNTED: Readonly<Record<string, ReadonlyArray<string>>> = {
  simulation: ['seeds', 'events', 'violations'],
  chaos: ['rounds', 'executions', 'kills', 'stalls', 'deploys', 'disconnects', 'outages', 'findings'],
  soak: ['executions', 'wrong'],
}

// The same each time, and not added up.
const NOT_SUMMED: ReadonlySet<string> = new Set(['mutation'])

const MIB = 1_048_576

/** The table, one line for each kind of run and storage, and below it what is left out; a kind that is not known is an error. */
export function tableOf(runs: ReadonlyArray<LoggedRun>): string {
  const totals = new Map<string, Total>()
  const counting = runs.filter(({ kind, leftOut }) => !NOT_SUMMED.has(kind) && leftOut === undefined)
  for (const run of counting) {
    const counted = COUNTED[run.kind]
    if (counted === undefined) {
      throw new Error(`There is no kind of run ${run.kind}; there are ${Object.keys(COUNTED).join(', ')}`)
    }
    const what = typeof run['storage'] === 'string' ? `${run.kind}, ${run['storage']}` : run.kind
    const total: Total = totals.get(what) ?? { what, runs: 0, minutes: 0, counts: new Map(), notes: [] }
    totals.set(what, total)
    total.runs += 1
    total.minutes += minutesOf(run)
    for (const name of counted) {
      total.counts.set(name, (total.counts.get(name) ?? 0) + numberOf(run[name]))
    }
    total.notes.push(...growthOf(run))
  }
  const lines = [...totals.values()].toSorted((a, b) => (a.what < b.what ? -1 : 1)).map(lineOf)
  const table = ['| what | runs | minutes | figures |', '| --- | ---: | ---: | --- |', ...lines]
  return [...table, ...leftOutOf(runs)].join('\n')
}

function leftOutOf(runs: ReadonlyArray<LoggedRun>): Array<string> {
  const lines = runs.flatMap(({ kind, storage, date, leftOut }) =>
    leftOut === undefined
      ? []
      : [
          `- ${[kind, storage].filter((part) => typeof part === 'string').join(', ')}, ${date.slice(0, 16)}: ${leftOut}`,
        ],
  )
  return lines.length === 0 ? [] : ['', 'Left out:', '', ...lines]
}

function lineOf({ what, runs, minutes, counts, notes }: Total): string {
  const figures = [...counts].map(([name, count]) => `${count.toLocaleString('en-US')} ${name}`)
  return `| ${what} | ${runs} | ${Math.round(minutes)} | ${[...figures, ...notes].join(', ')} |`
}

function minutesOf(run: LoggedRun): number {
  return run['seconds'] === undefined ? numberOf(run['minutes']) : numberOf(run['seconds']) / 60
}

function numberOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new TypeError(`A line of the log lacks a number: ${String(value)}`)
  }
  return value
}

/** How much memory a soak grew by, and which of its bounds were broken. */
function growthOf(run: LoggedRun): Array<string> {
  if (run.kind !== 'soak') {
    return []
  }
  const verdicts = (run['verdicts'] ?? []) as ReadonlyArray<{
    bound: string
    measured: number
    isKept: boolean
  }>
  const heap = verdicts.find(({ bound }) => bound.startsWith('heap'))
  return [
    heap === undefined
      ? 'not judged'
      : `${(heap.measured / MIB).toFixed(2)} MiB of heap for 100,000 executions`,
    ...verdicts.filter(({ isKept }) => !isKept).map(({ bound }) => `**broken: ${bound}**`),
  ]
}
