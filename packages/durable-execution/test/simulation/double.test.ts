/** The storage that simulations run over keeps the contract like any other: with all it offers, and with the four operations. */

import { describe, it } from 'vitest'

import { chanceOf } from '../../src/testing/simulate/chance.ts'
import { connect, FAIR_WEATHER, type Network } from '../../src/testing/simulate/connection.ts'
import { Scheduler } from '../../src/testing/simulate/scheduler.ts'
import { SimServer } from '../../src/testing/simulate/server.ts'
import { createSimIds, SimProcess } from '../../src/testing/simulate/sim-process.ts'
import {
  type ConformancePlace,
  runStorageConformance,
} from '../../src/testing/conformance/storage-conformance.ts'
import { FOUR_OPERATIONS, NOTHING_TO_SHARE } from '../storages/places.ts'

runStorageConformance({
  name: 'the simulated storage',
  describe,
  it,
  create: () => Promise.resolve(simulatedPlace(true)),
  without: NOTHING_TO_SHARE,
})

runStorageConformance({
  name: 'the simulated storage with its optional members hidden',
  describe,
  it,
  create: () => Promise.resolve(simulatedPlace(false)),
  without: FOUR_OPERATIONS,
})

let places = 0

/** A place whose time is moved all the while; each opening is a process of its own. */
function simulatedPlace(hasMembers: boolean): ConformancePlace {
  places += 1
  const chance = chanceOf(`conformance ${places}`)
  const scheduler = new Scheduler(chance.branch('order'))
  const network: Network = {
    scheduler,
    server: new SimServer(true),
    chance,
    weather: { ...FAIR_WEATHER },
    kind: { hasMembers, keepsOwnFields: true, hasClock: true, hasHints: true },
    listeners: new Set(),
  }
  let isOver = false
  const moving = (async (): Promise<void> => {
    while (!isOver) {
      if (!(await scheduler.step(Infinity))) {
        await new Promise<void>((resolve) => {
          setImmediate(resolve)
        })
      }
    }
  })()
  let opened = 0
  return {
    open: () => {
      opened += 1
      const name = `process ${opened}`
      return Promise.resolve(connect(network, new SimProcess(name, scheduler, chance, createSimIds(), 0)))
    },
    canOpenTwice: true,
    cleanup: async () => {
      isOver = true
      await moving
    },
  }
}
