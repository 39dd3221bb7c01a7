/** What every show here does: it takes a seed, makes a folder, plays, and says in one line how it ended. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { createRandom, type Random } from './random.ts'

/** What a show is given. */
export type Stage = {
  /** An empty folder, which is removed at the end. */
  folder: string
  /** How often a process is to be killed. */
  kills: number
  /** Chance, for one purpose. */
  random: (about: string) => Random
  /** Says what happens. */
  say: (line: string) => void
}

/** Plays a show as a command; `play` gives what is to be said of it, and rejects if it ended wrong. */
export async function runShow(
  name: string,
  kills: number,
  play: (stage: Stage) => Promise<string>,
): Promise<void> {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: String(kills) },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
      quiet: { type: 'boolean', default: false },
    },
  })
  const seed = Number(values.seed)
  const startedAt = performance.now()
  const folder = await mkdtemp(join(tmpdir(), `durable-execution-${name}-`))
  try {
    const told = await play({
      folder,
      kills: Number(values.kills),
      random: (about) => createRandom(seed, about),
      say: (line) => {
        if (!values.quiet) {
          console.error(`${String(Math.round(performance.now() - startedAt)).padStart(6)} ms  ${line}`)
        }
      },
    })
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
    console.log(`${name.padEnd(15)} ok    ${told}; ${seconds} s, seed ${seed}`)
  } catch (error) {
    console.log(
      `${name.padEnd(15)} WRONG ${error instanceof Error ? error.message : String(error)}; seed ${seed}`,
    )
    process.exitCode = 1
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
