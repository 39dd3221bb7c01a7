/** The user's side of a shared transaction: the handle itself, of use only while the transaction is open. */

import { DurableExecutionError, messageOf } from '../../base/errors.ts'
import { transactionControlIn } from '../sql/transaction-control.ts'
import { type SqliteDriver } from './driver.ts'

// What closes the connection, or opens another one.
const NOT_SHARED: ReadonlySet<string | symbol> = new Set(['close', 'open', Symbol.dispose])

type AnyFunction = (...given: Array<unknown>) => unknown

/** Hands out the handle of a connection, and knows what came of its statements. */
export class HandleGuard {
  /** The handle: the same class, with the same members. What it gives, such as statements, is guarded too. */
  readonly handle: object
  readonly #driver: SqliteDriver
  readonly #guarded = new WeakMap<object, object>()
  #isEnded = false
  /** What it failed with, if the database could not work. */
  #outage: { error: unknown } | undefined

  constructor(driver: SqliteDriver) {
    this.#driver = driver
    this.handle = this.#guard(driver.handle)
  }

  /** Nothing more is taken. Throws if the transaction is not there any more. */
  end(): void {
    this.#isEnded = true
    if (!this.#driver.isInTransaction()) {
      throw wasEnded()
    }
  }

  /** Nothing more is taken, whatever has become of the transaction. */
  drop(): void {
    this.#isEnded = true
  }

  /** What a transaction that failed with this error rejects with: where the database could not work, that is no error of the user's. */
  rejectionOf(error: unknown): unknown {
    return this.#outage === undefined
      ? error
      : new Error(`The transaction was lost: ${messageOf(this.#outage.error)}`, { cause: this.#outage.error })
  }

  #guard(target: object): object {
    const known = this.#guarded.get(target)
    if (known !== undefined) {
      return known
    }
    const functions = new Map<AnyFunction, AnyFunction>()
    const guarded = new Proxy(target, {
      get: (_, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function' || isFixed(target, name)) {
          return member
        }
        const original = member as AnyFunction
        const wrapped = functions.get(original) ?? this.#guardFunction(target, name, original)
        functions.set(original, wrapped)
        return wrapped
      },
    })
    this.#guarded.set(target, guarded)
    return guarded
  }

  #guardFunction(target: object, name: string | symbol, original: AnyFunction): AnyFunction {
    return (...given) => {
      this.#assertUsable(name, given[0])
      try {
        const answer: unknown = Reflect.apply(original, target, given)
        return isLive(answer) ? this.#guard(answer) : answer
      } catch (error) {
        if (this.#driver.isOutage(error)) {
          this.#outage = { error }
        }
        throw error
      }
    }
  }

  #assertUsable(name: string | symbol, text: unknown): void {
    if (this.#isEnded) {
      throw new DurableExecutionError('The transaction has ended. Use `tx` only inside its function', false)
    }
    if (NOT_SHARED.has(name)) {
      throw new DurableExecutionError(
        `Do not ${String(name)} the handle inside ctx.transaction: the storage works on it`,
        false,
      )
    }
    const control = typeof text === 'string' ? transactionControlIn(text) : undefined
    if (control !== undefined && (name === 'exec' || name === 'prepare')) {
      throw new DurableExecutionError(
        `ctx.transaction begins and ends its transaction itself: leave out ${JSON.stringify(control)}. ` +
          'Throw an error to undo all of it; use savepoints to undo a part.',
        false,
      )
    }
    if (!this.#driver.isInTransaction()) {
      throw wasEnded()
    }
  }
}

/** Whether it goes on working on the connection: a statement, an iterator; not rows, values or promises. */
function isLive(answer: unknown): answer is object {
  if (typeof answer !== 'object' || answer === null || ArrayBuffer.isView(answer)) {
    return false
  }
  const { prepare, run, next } = answer as Record<string, unknown>
  return [prepare, run, next].some((member) => typeof member === 'function')
}

// A proxy must give such a member as it is.
function isFixed(target: object, name: string | symbol): boolean {
  const own = Reflect.getOwnPropertyDescriptor(target, name)
  return own?.configurable === false && own.writable === false
}

function wasEnded(): DurableExecutionError {
  return new DurableExecutionError(
    'The transaction was ended inside its function, so its result was not kept. Leave beginning and ending it to ctx.transaction, ' +
      'and use no statement that rolls back by itself, such as INSERT OR ROLLBACK.',
    false,
  )
}
