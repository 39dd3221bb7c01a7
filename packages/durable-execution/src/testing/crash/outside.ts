/** The outside world of a run, faked: what tasks did to it, told by themselves, whatever became of their process. */

import { inspect } from 'node:util'

import { messageOf } from '../../base/errors.ts'
import { TestKitError } from '../kit-error.ts'

/**
 * Something that was done to the outside world: a card charged, a mail sent.
 *
 * @category Testing
 */
export type OutsideEffect = {
  name: string
  details: unknown
  /** The idempotency key it was done under, if there was one. */
  key?: string
}

/**
 * The outside world of one run, as a process reaches it. It survives the process.
 *
 * @category Testing
 */
export type Outside = {
  /**
   * Does something to the outside world. Await it: this is where the process may die, before it or after it.
   *
   * Effects of one name and one `key` count once, as with a service that takes an idempotency key: the first is
   * done, and later ones resolve with the details of the first. Without a key each is done anew.
   *
   * @param name - What is done.
   * @param details - With what: a value that can be cloned. Times and random values would differ from run to run.
   * @param options - `key`: the idempotency key, `ctx.executionId` for instance.
   */
  record: <TDetails = undefined>(
    name: string,
    details?: TDetails,
    options?: { key?: string | null | undefined } | null,
  ) => Promise<TDetails>
  /** What was done so far in this run, by whatever process; only what has that name, if one is given. */
  recorded: (name?: string) => Array<OutsideEffect>
}

/** What was done in one run. */
export class Ledger {
  readonly effects: Array<OutsideEffect> = []

  /** Adds the effect, or gives the one that counts instead. */
  add(effect: OutsideEffect): OutsideEffect {
    const { name, key } = effect
    const first =
      key === undefined ? undefined : this.effects.find((one) => one.name === name && one.key === key)
    if (first === undefined) {
      this.effects.push(effect)
    }
    return first ?? effect
  }
}

/** The process that reaches for the outside. */
export type OutsideDoors = {
  /** Whether it crashed: what its functions still do reaches nobody. */
  isDead: () => boolean
  /** Whether the run that it belongs to is over, and has been compared. */
  isOver: () => boolean
  /** Whether one of its functions is at work. */
  isAtWork: () => boolean
  /** May end the process. */
  onEffect: (moment: 'before' | 'after', name: string) => void
  /** Hears of effects that come too late to count. */
  onLate: (error: TestKitError) => void
}

export function createOutside(ledger: Ledger, doors: OutsideDoors): Outside {
  const { isDead, isOver, isAtWork, onEffect, onLate } = doors
  const never = async (): Promise<never> => await new Promise<never>(() => {})
  return {
    record: async <TDetails>(
      name: string,
      details?: TDetails,
      options?: { key?: string | null | undefined } | null,
    ): Promise<TDetails> => {
      if (isDead()) {
        return await never()
      }
      const effect = toEffect(name, details, options?.key)
      if (isOver() || !isAtWork()) {
        onLate(lateError(name))
        return await never()
      }
      onEffect('before', name)
      if (isDead()) {
        return await never()
      }
      const counted = ledger.add(effect)
      onEffect('after', name)
      return isDead() ? await never() : (structuredClone(counted.details) as TDetails)
    },
    recorded: (name) =>
      structuredClone(ledger.effects.filter((effect) => effect.name === (name ?? effect.name))),
  }
}

function toEffect(name: unknown, details: unknown, key: unknown): OutsideEffect {
  if (typeof name !== 'string' || name === '') {
    throw new TestKitError(`An effect needs a name, a text such as 'charged'; got ${inspect(name)}`)
  }
  if (key !== undefined && key !== null && typeof key !== 'string') {
    throw new TestKitError(
      `The key of effect "${name}" must be a text, such as ctx.executionId; got ${inspect(key)}`,
    )
  }
  try {
    // A copy: what its maker changes later was not done.
    const copy: unknown = structuredClone(details)
    return { name, details: copy, ...(typeof key === 'string' ? { key } : {}) }
  } catch (error) {
    throw new TestKitError(
      `The details of effect "${name}" cannot be cloned: ${messageOf(error)}. Give plain values.`,
      { cause: error },
    )
  }
}

function lateError(name: string): TestKitError {
  return new TestKitError(
    `Effect "${name}" was recorded while no function was running: its function had ended before it. ` +
      'Record effects in the functions of tasks only, and await each of them there.',
  )
}
