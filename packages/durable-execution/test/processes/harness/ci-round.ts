/** The round that is part of every check: 10,000 plain tasks and 500 trees over four processes that are killed. */

import { expect } from 'vitest'

import { type Figures, playRound, type RoundOptions } from './round.ts'

/** How long it may take on a slow, busy machine. */
export const CI_ROUND_MS = 600_000

const WORKLOAD = { plain: 10_000, trees: 500, others: 30 }

/** Plays it, prints its figures, and expects that nothing is wrong. */
export async function playCiRound(openPlace: RoundOptions['openPlace']): Promise<Figures> {
  const { figures, findings } = await playRound({ openPlace, workers: 4, workload: WORKLOAD })
  console.log(JSON.stringify(figures))
  expect(findings).toEqual([])
  expect(figures.enqueued).toBeGreaterThan(WORKLOAD.plain + WORKLOAD.trees)
  expect(figures.kills).toBeGreaterThanOrEqual(5)
  return figures
}
