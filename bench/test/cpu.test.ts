import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

import { expect, test } from 'vitest'

import { machineSeconds, processTreeSeconds } from '../src/measure/cpu.ts'

const BUSY = 'const start = process.cpuUsage(); while (process.cpuUsage(start).user < 100_000) {}'

// What has ended is counted in whole ticks, its user and its system time each.
const TICKS_LOST = 0.03

test.runIf(process.platform === 'linux')(
  'the CPU time of a tree holds that of children that have ended',
  () => {
    const [before, machineBefore] = [processTreeSeconds(process.pid), machineSeconds()]
    spawnSync(process.execPath, ['-e', BUSY])
    expect(processTreeSeconds(process.pid)).toBeGreaterThan((before ?? Number.NaN) + 0.1 - TICKS_LOST)
    expect(machineSeconds()).toBeGreaterThan((machineBefore ?? Number.NaN) + 0.1 - TICKS_LOST)
  },
)

test.runIf(process.platform === 'linux')('and that of children that live', async () => {
  const before = processTreeSeconds(process.pid)
  const child = spawn(process.execPath, ['-e', `${BUSY}; process.stdin.resume(); console.log('done')`])
  await once(child.stdout, 'data')
  expect(processTreeSeconds(process.pid)).toBeGreaterThan((before ?? Number.NaN) + 0.1 - TICKS_LOST)
  child.stdin.end()
  await once(child, 'exit')
})

test('of a process that is not there nothing is known', () => {
  expect(processTreeSeconds(2 ** 30)).toBeUndefined()
})
