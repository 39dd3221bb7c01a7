/** The rounds that are part of every check: thousands of tasks and trees over processes that are killed 40 times. */

import { expect } from 'vitest'

import { type Figures } from './figures.ts'
import { playRounds, type RoundOptions } from './round.ts'
import { tellFindings } from './telling.ts'

/** How long they may take on a slow, busy machine. */
export const CI_ROUNDS_MS = 900_000

const WORKLOAD = { plain: 4_000, trees: 200, others: 10, random: 40 }
const ROUNDS = 2
const KILLS = 20

// A row that is four levels below its root.
const DEPTH = 5

/** Plays the rounds, prints their figures, and expects that nothing is wrong; gives the figures. */
export async function playCiRounds(openPlace: RoundOptions['openPlace']): Promise<Array<Figures>> {
  const all: Array<Figures> = []
  const seed = Date.now() % 1_000_000
  for await (const outcome of playRounds(Infinity, {
    openPlace,
    workers: 4,
    workload: WORKLOAD,
    kills: KILLS,
    seed,
  })) {
    const { figures, findings } = outcome
    console.log(JSON.stringify(figures))
    expect(findings, findings.length > 0 ? tellFindings(outcome).join('\n') : '').toEqual([])
    expect(figures.enqueued).toBeGreaterThan(WORKLOAD.plain + WORKLOAD.trees)
    expect(figures.kills).toBeGreaterThanOrEqual(KILLS)
    expect(figures.deepest).toBeGreaterThanOrEqual(DEPTH)
    all.push(figures)
    if (all.length === ROUNDS) {
      break
    }
  }
  return all
}
