/** What every show here does: it takes a seed, makes a folder, plays, and says in one line how it ended. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { createRandom, type Random } from './random.ts'

/** What a show is given. */
export type Stage = {
  /** An empty folder; it is removed if the show ends right. */
  folder: string
  /** How often a process is to be killed. */
  kills: number
  /** Chance, for one purpose. */
  random: (about: string) => Random
  /** Says what happens. */
  say: (line: string) => void
}

const KILLS = 4

/** Plays a show as a command; `play` gives what is to be said of it, and rejects if it ended wrong. */
export async function runShow(name: string, play: (stage: Stage) => Promise<string>): Promise<void> {
  try {
    const { values } = parseArgs({
      options: {
        kills: { type: 'string', default: String(KILLS) },
        seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
        quiet: { type: 'boolean', default: false },
      },
    })
    const seed = toCount('seed', values.seed)
    const kills = toCount('kills', values.kills)
    const startedAt = performance.now()
    const folder = await mkdtemp(join(tmpdir(), `durable-execution-${name}-`))
    const say = (line: string): void => {
      if (!values.quiet) {
        console.error(`${String(Math.round(performance.now() - startedAt)).padStart(6)} ms  ${line}`)
      }
    }
    const random = (about: string): Random => createRandom(seed, about)
    const told = await play({ folder, kills, random, say }).catch((error: unknown) => {
      console.log(`${name.padEnd(15)} WRONG; seed ${seed}; its files are in ${folder}`)
      throw error
    })
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
    console.log(`${name.padEnd(15)} ok  ${told}; ${seconds} s, seed ${seed}`)
    await rm(folder, { recursive: true, force: true })
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}

function toCount(name: string, text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0 || text.trim() === '') {
    throw new Error(`--${name} must be a whole number, 0 or more, got ${text}`)
  }
  return number
}
