/** The doors to the outside, made once at the edge, so that tests and simulators can own them. */

import { type Clock, systemClock } from './clock.ts'
import { type IdSource, systemIds } from './ids.ts'
import { type Random, systemRandom } from './random.ts'

/** Time, chance and names, passed in one object. */
export type Doors = { clock: Clock; random: Random; ids: IdSource }

/** The real ones. */
export const systemDoors: Doors = { clock: systemClock, random: systemRandom, ids: systemIds }

/** The key under which options carry doors of their own; see `withDoors` of the testing kit. */
export const DOORS: unique symbol = Symbol('durable-execution doors')
