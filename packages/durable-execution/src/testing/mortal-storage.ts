/** A storage that, from one moment on, answers nothing: as seen by a process that has died. */

import { type DurableStorage } from '../storage/contract.ts'

/** A storage as one process sees it, until it dies. */
export type MortalStorage = {
  storage: DurableStorage
  /**
   * From now on no call is answered, those under way included. What those do in the storage they do; only of a transaction that
   * a function of the user's shares nothing is kept, unless it was about to be committed: that ends with its connection.
   */
  die: () => void
  isDead: () => boolean
  /** How many calls are not answered yet. */
  callsUnderWay: () => number
}

export function createMortalStorage(storage: DurableStorage): MortalStorage {
  let isDead = false
  let underWay = 0
  const death = Promise.withResolvers<never>()
  death.promise.catch(() => {})
  const never = (): Promise<never> => new Promise<never>(() => {})
  const unlessDead = async (answer: Promise<unknown>): Promise<unknown> => {
    underWay += 1
    try {
      const value = await answer
      return isDead ? await never() : value
    } catch (error) {
      if (isDead) {
        return await never()
      }
      throw error
    } finally {
      underWay -= 1
    }
  }
  // What the dead would still do there, it does not.
  const unlessDying =
    (part: unknown) =>
    (...args: Array<unknown>): Promise<unknown> =>
      Promise.race([death.promise, (part as (...given: Array<unknown>) => Promise<unknown>)(...args)])
  return {
    storage: new Proxy(storage, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') {
          return member
        }
        return (...args: Array<unknown>): unknown => {
          if (isDead) {
            return never()
          }
          const given = name === 'shareTransaction' ? args.map(unlessDying) : args
          const answer: unknown = Reflect.apply(member, target, given)
          return answer instanceof Promise ? unlessDead(answer) : answer
        }
      },
    }),
    die: () => {
      isDead = true
      death.reject(new Error('The process has died'))
    },
    isDead: () => isDead,
    callsUnderWay: () => underWay,
  }
}
