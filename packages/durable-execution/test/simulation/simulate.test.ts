/** The simulator: the same seed is the same story, no promise is broken, and what is planted is found. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { CODE_FAULTS } from '../../../../scripts/plants/faults-of-code.ts'
import { planOf, type SimPlan } from '../../src/testing/simulate/plan.ts'
import { explainSimulation, simulate } from '../../src/testing/simulate/simulate.ts'

const ROOT = join(import.meta.dirname, '../../../..')

describe('a simulation', () => {
  it('plays the same story twice from the same seed, and another one from another', async () => {
    const hashes = new Set<number>()
    for (const seed of ['1', '2', '3', '4', '5']) {
      const first = await simulate(seed)
      expect((await simulate(seed)).traceHash).toBe(first.traceHash)
      hashes.add(first.traceHash)
    }
    expect(hashes.size).toBe(5)
  })

  it('is long enough to mean something: five hundred events at least, and trees among the work', async () => {
    let executions = 0
    for (const seed of ['11', '12', '13', '14', '15']) {
      const played = await simulate(seed)
      expect(played.violations).toEqual([])
      expect(played.events).toBeGreaterThan(500)
      executions += played.executions
    }
    expect(executions).toBeGreaterThan(50)
  })

  it('has nothing to explain where no promise was broken', async () => {
    expect((await explainSimulation({ ...planOf('1'), deeds: [] })).violations).toEqual([])
  })
})

describe('what once broke a promise', () => {
  const kept = JSON.parse(readFileSync(join(ROOT, 'reliability/seeds.json'), 'utf8')) as Array<{
    found: string
    plan: SimPlan
  }>

  it.each(kept.map(({ found, plan }) => [found, plan] as const))('is mended: %s', async (_, plan) => {
    expect((await simulate(plan)).violations).toEqual([])
  })
})

describe('planted faults', () => {
  const few = CODE_FAULTS.filter(({ unseenBy }) => unseenBy?.simulator === undefined).map(
    ({ name }) => [name, '1..200'] as const,
  )
  it.each([
    ['no-lease-guard', '1..1000'],
    ['no-parent-lock', '1..1000'],
    ['no-status-guard', '1..1000'],
    ...few,
  ] as const)('%s is found', (name, seeds) => {
    const { status, stdout } = spawnSync(
      process.execPath,
      [
        '--experimental-strip-types',
        '--disable-warning=ExperimentalWarning',
        join(ROOT, 'scripts/simulate.ts'),
        '--plant',
        name,
        '--seeds',
        seeds,
      ],
      { encoding: 'utf8' },
    )
    expect(status).toBe(1)
    expect(stdout).toContain('breaks a promise')
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({ violations: 1 })
  })
})
