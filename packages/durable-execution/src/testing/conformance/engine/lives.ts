/** What cases about leases, outages and shutdown share: gates, storages that misbehave, tasks that wait. */

import assert from 'node:assert/strict'

import { type DurableExecutor } from '../../../executor/executor.ts'
import { type ExecutionRow } from '../../../machine/execution.ts'
import {
  type DurableStorage,
  type DurableStorageChangeHint,
  type DurableStorageTx,
} from '../../../storage/contract.ts'
import { type DurableTask } from '../../../task/define.ts'
import { type DurableTaskRunContext } from '../../../task/context.ts'
import { type EngineWorld } from './world.ts'

/** A promise that the case settles. */
export type Gate<T = void> = {
  promise: Promise<T>
  open: (value: T) => void
  fail: (error: unknown) => void
}

export function createGate<T = void>(): Gate<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  promise.catch(() => {})
  return { promise, open: resolve, fail: reject }
}

/** Every start of a task's function, and the gate at which it waits. */
export type Started = { ctx: DurableTaskRunContext; input: unknown; gate: Gate<unknown> }

/** Defines a task whose runs wait until the case lets them go. */
export function waitingTask(
  executor: DurableExecutor,
  id: string,
  options: { timeoutMs?: number; maxLosses?: number; maxAttempts?: number } = {},
): { task: DurableTask<unknown, unknown>; started: Array<Started> } {
  const started: Array<Started> = []
  const { timeoutMs = 3_600_000, maxLosses, maxAttempts = 0 } = options
  const task = executor.task({
    id,
    timeoutMs,
    maxLosses,
    retryOptions: { maxAttempts },
    run: async (ctx: DurableTaskRunContext, input: unknown) => {
      const gate = createGate<unknown>()
      started.push({ ctx, input, gate })
      return await gate.promise
    },
  })
  return { task, started }
}

/** Defines a task that ends at once. */
export function quickTask(
  executor: DurableExecutor,
  id: string,
  run: (ctx: DurableTaskRunContext, input: unknown) => unknown = () => 'done',
): DurableTask<unknown, unknown> {
  return executor.task({ id, timeoutMs: 3_600_000, run })
}

/** The run that was started last. */
export function latest(started: ReadonlyArray<Started>): Started {
  const last = started.at(-1)
  assert.ok(last, 'no run was started')
  return last
}

/** Moves the clock in steps of 50 ms until the claim is true. */
export async function untilTrue(world: EngineWorld, claim: () => boolean, limitMs = 600_000): Promise<void> {
  const end = world.clock.monotonicNow() + limitMs
  await world.clock.settle()
  while (!claim()) {
    assert.ok(world.clock.monotonicNow() < end, `it did not come true in ${limitMs} ms of moved time`)
    await world.clock.advance(50)
  }
}

/** Moves the clock until the row is as described. */
export async function untilRow(
  world: EngineWorld,
  executionId: string,
  claim: (row: ExecutionRow) => boolean,
  limitMs = 600_000,
): Promise<ExecutionRow> {
  const end = world.clock.monotonicNow() + limitMs
  await world.clock.settle()
  for (;;) {
    const row = await world.row(executionId)
    if (claim(row)) {
      return row
    }
    assert.ok(world.clock.monotonicNow() < end, `the row did not change in ${limitMs} ms of moved time`)
    await world.clock.advance(50)
  }
}

/** What one call of an operation is: its name and what it was given. */
export type Call = { operation: string; args: Array<unknown> }

/** The storage, where each call is told of before it is made; what the listener throws fails the call. */
export function withCallListener(
  storage: DurableStorage,
  onCall: (call: Call) => void | Promise<void>,
): DurableStorage {
  const listened = (tx: DurableStorageTx): DurableStorageTx =>
    new Proxy(tx, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') {
          return member
        }
        return async (...args: Array<unknown>): Promise<unknown> => {
          await onCall({ operation: String(name), args })
          return await (Reflect.apply(member, target, args) as unknown)
        }
      },
    })
  return {
    ...restOf(storage),
    withTransaction: async (fn, hint) =>
      await storage.withTransaction(async (tx) => await fn(listened(tx)), hint),
  }
}

/** The storage's other members, bound to it. */
export function restOf(storage: DurableStorage): Partial<DurableStorage> {
  const members: Record<string, unknown> = {}
  for (const name of ['getCurrentTime', 'onChange', 'notifyChange'] as const) {
    const member = storage[name]
    if (member !== undefined) {
      members[name] = (...args: Array<never>): unknown => Reflect.apply(member, storage, args)
    }
  }
  return members
}

/** Whether a call speaks of an execution in what it was given. */
export function speaksOf({ args }: Call, executionId: string): boolean {
  return JSON.stringify(args).includes(executionId)
}

/** Whether a call changes rows. */
export function isWrite({ operation }: Call): boolean {
  return !/^get|^lock/.test(operation)
}

/** A storage that can be away, and tells how often it was asked meanwhile. What hangs fails when it comes back. */
export type AbsentStorage = DurableStorage & {
  leave: (how: 'refuses' | 'hangs' | 'throws') => void
  comeBack: () => void
  /** How many transactions were asked for since it left. */
  asked: () => number
}

export function createAbsentStorage(storage: DurableStorage): AbsentStorage {
  let away: 'refuses' | 'hangs' | 'throws' | undefined
  let asked = 0
  let back = createGate<never>()
  return {
    ...restOf(storage),
    withTransaction: <T>(
      fn: (tx: DurableStorageTx) => Promise<T>,
      hint?: { oneCall?: boolean },
    ): Promise<T> => {
      if (away === undefined) {
        return storage.withTransaction(fn, hint)
      }
      asked += 1
      const error = new Error('The storage is away')
      if (away === 'throws') {
        throw error
      }
      return away === 'refuses' ? Promise.reject(error) : back.promise
    },
    leave: (how) => {
      away = how
      asked = 0
    },
    comeBack: () => {
      away = undefined
      back.fail(new Error('The connection was lost while the storage was away'))
      back = createGate<never>()
    },
    asked: () => asked,
  }
}

/** Lets storages of several executors tell each other what changed, as a database does. */
export function createHintBus(): {
  connect: (storage: DurableStorage) => DurableStorage
  hints: Array<DurableStorageChangeHint>
  listeners: () => number
} {
  const listeners = new Map<object, (hint: DurableStorageChangeHint) => void>()
  const hints: Array<DurableStorageChangeHint> = []
  return {
    hints,
    listeners: () => listeners.size,
    connect: (storage) => {
      const self = {}
      return {
        withTransaction: (fn, hint) => storage.withTransaction(fn, hint),
        onChange: (listener) => {
          listeners.set(self, listener)
          return Promise.resolve(() => {
            listeners.delete(self)
            return Promise.resolve()
          })
        },
        notifyChange: (hint) => {
          hints.push(hint)
          for (const [of, listener] of listeners) {
            if (of !== self) {
              listener(hint)
            }
          }
          return Promise.resolve()
        },
      }
    },
  }
}
