/** On what, and how, it was measured: a paragraph for the head of the report. */

import { cpus, totalmem } from 'node:os'

import { POSTGRES_SETTINGS } from '../command/places.ts'
import { type Flags } from '../command/flags.ts'

export function describeMachine({ runs, redisFsync }: Flags, today: Date): string {
  const cores = cpus()
  const settings = Object.entries(POSTGRES_SETTINGS).map(([name, value]) => `${name}=${value}`)
  return [
    `${today.toISOString().slice(0, 10)}, ${cores.length} × ${cores[0]?.model.trim() ?? 'unknown'}, ` +
      `${Math.round(totalmem() / 1e9)} GB, ${process.platform}, Node ${process.versions.node}.`,
    `Postgres 18 on this machine, fsync and synchronous_commit on, ${settings.join(', ')}; ` +
      `SQLite ${process.versions['sqlite'] ?? ''} with synchronous=FULL; Redis, if used, with appendfsync ${redisFsync}.`,
    `Each figure is the median of ${runs} ${runs === 1 ? 'run' : 'runs'}, each in a process of its own.`,
    '`others` is what everything else on the machine used meanwhile: with much of it a rate is a lower bound.',
  ].join('\n')
}
