/** The rounds that are part of every check: 10,000 plain tasks and 500 trees over four processes that are killed. */

import { expect } from 'vitest'

import { type Figures, playRounds, type RoundOptions } from './round.ts'

/** How long they may take on a slow, busy machine. */
export const CI_ROUNDS_MS = 600_000

const WORKLOAD = { plain: 10_000, trees: 500, others: 30 }

// So long it goes on, in as many rounds as that takes.
const PLAY_MS = 120_000

/** Plays rounds for two minutes, prints their figures, and expects that nothing is wrong; gives the figures. */
export async function playCiRounds(openPlace: RoundOptions['openPlace']): Promise<Array<Figures>> {
  const all: Array<Figures> = []
  for await (const { figures, findings, stories } of playRounds(PLAY_MS, {
    openPlace,
    workers: 4,
    workload: WORKLOAD,
  })) {
    console.log(JSON.stringify(figures))
    expect(findings, stories.join('\n')).toEqual([])
    expect(figures.enqueued).toBeGreaterThan(WORKLOAD.plain + WORKLOAD.trees)
    expect(figures.kills).toBeGreaterThanOrEqual(5)
    all.push(figures)
  }
  return all
}
