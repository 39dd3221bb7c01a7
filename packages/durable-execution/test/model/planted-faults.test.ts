/** Wrong engines are caught: what the explorer would say if the engine were wrong. */

import { readFileSync } from 'node:fs'

import { beforeAll, describe, expect, test } from 'vitest'

import { describeFailure } from '../../src/testing/explore/explore.ts'
import { PLANTED_FAULTS } from '../../src/testing/explore/faults.ts'
import { type Caught, explorePlantedFaults, withPlantedFaults } from '../../src/testing/explore/report.ts'

let caught: ReadonlyArray<Caught> = []
beforeAll(() => {
  caught = explorePlantedFaults()
}, 120_000)

describe('the explorer catches an engine with this fault', () => {
  test.for(PLANTED_FAULTS)('$name', ({ name, caughtBy }) => {
    const failure = caught.find(({ fault }) => fault.name === name)?.exploration.failure
    expect(failure === null || failure === undefined ? 'nothing' : failure.invariant).toBeOneOf([...caughtBy])
  })
})

test('a failure is told as the shortest way to it', () => {
  const failure = caught.find(({ fault }) => fault.name === 'a lapsed lease is kept')?.exploration.failure
  expect(failure === null || failure === undefined ? '' : describeFailure(failure)).toBe(
    [
      'S3 at task: it is ready with expiresAt',
      '  1. A: look for something to claim, find task',
      '  2. A: claim task, committed',
      '  3. A: settle task failed, committed',
    ].join('\n'),
  )
})

test('the table of planted faults in ARCHITECTURE.md says what is caught today', () => {
  const page = readFileSync(new URL('../../../../ARCHITECTURE.md', import.meta.url), 'utf8')
  expect(page, 'run `npm run explore -- --write`').toBe(withPlantedFaults(page, caught))
})
