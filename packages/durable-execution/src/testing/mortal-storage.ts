/** A storage that, from one moment on, answers nothing: as seen by a process that has died. */

import { type DurableStorage } from '../storage/contract.ts'

/** A storage as one process sees it, until it dies. */
export type MortalStorage = {
  storage: DurableStorage
  /** From now on no call is answered, those under way included. What those do in the storage they do. */
  die: () => void
  isDead: () => boolean
  /** How many calls are not answered yet. */
  callsUnderWay: () => number
}

export function createMortalStorage(storage: DurableStorage): MortalStorage {
  let isDead = false
  let underWay = 0
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
          const answer: unknown = Reflect.apply(member, target, args)
          return answer instanceof Promise ? unlessDead(answer) : answer
        }
      },
    }),
    die: () => {
      isDead = true
    },
    isDead: () => isDead,
    callsUnderWay: () => underWay,
  }
}
