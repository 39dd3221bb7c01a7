/** The durable calls as the function of a task sees them: what it gives is checked, then each does its part. */

import { handledLater } from '../../base/promise.ts'
import { stateId } from '../../machine/records.ts'
import { DURABLE_CALLS, type DurableCode } from '../../task/durable-context.ts'
import { resolveSleepUntil, resolveWaitOptions } from '../../task/durable-options.ts'
import { type Batch, runChildren } from './children.ts'
import { type DurableCalls } from './calls.ts'
import { checkChildren, checkState, checkStep } from './given.ts'
import { checkKind } from './names.ts'
import { payloadOf, waitForSignal } from './signals.ts'
import { sleepUntil } from './sleep.ts'
import { runStep, type StepFunction } from './step.ts'
import { runTransaction, type TransactionFunction } from './transaction.ts'

/** Makes each call for one run. */
const MAKERS: {
  [Name in keyof DurableCode]: (calls: DurableCalls) => (...given: Array<never>) => Promise<unknown>
} = {
  step: (calls) => (name: string, fn: unknown, options?: unknown) =>
    calls.call('step', name, (call) => {
      const resolved = checkStep('step', call.name, fn, options)
      return runStep(calls, call, fn as StepFunction<unknown>, resolved)
    }),
  transaction: (calls) => (name: string, fn: unknown, options?: unknown) =>
    calls.call('transaction', name, async (call) => {
      const resolved = checkStep('transaction', call.name, fn, options)
      return await runTransaction(calls, call, fn as TransactionFunction<unknown>, resolved)
    }),
  sleep: (calls) => (name: string, msOrDate: unknown) =>
    calls.call('sleep', name, async (call) => {
      await sleepUntil(calls, call, resolveSleepUntil(call.name, msOrDate, calls.engine.store.now()))
    }),
  waitForSignal: (calls) => (name: string, options?: unknown) =>
    calls.call('waitForSignal', name, async (call) => {
      const { timeoutMs, validate } = resolveWaitOptions(call.name, options)
      const text = await waitForSignal(calls, call, timeoutMs)
      return await payloadOf(calls, call.name, text, validate)
    }),
  runTask: (calls) => (task: unknown, input: unknown, options: unknown) =>
    handledLater(runTasks(calls, 'runTask', [{ task, input, options }]).then(([output]) => output)),
  runTasks: (calls) => (children: unknown) => handledLater(runTasks(calls, 'runTasks', children)),
  compensate: (calls) => (name: string, fn: unknown, options?: unknown) =>
    calls.call('compensate', name, async (call) => {
      checkStep('compensation', call.name, fn, options)
      const [known] = await calls.insist(async () => await calls.history.get([call.id]))
      checkKind(known, '#compensate', call, calls.attempt.row.executionId)
      if (known === undefined) {
        const record = { executionId: call.id, kind: '#compensate' as const }
        await calls.writer.writeCompensation(record)
      }
    }),
  setState: (calls) => (state: unknown) =>
    calls.group('setState', async () => {
      const output = checkState(calls, state)
      const [known] = await calls.insist(async () => await calls.history.get([stateId(calls.prefix)]))
      await calls.writer.writeState({ output, isThere: known !== undefined })
    }),
}

/** The calls of one run. Each is made when it is first asked for: most functions use one or two. */
class Code {
  readonly #calls: DurableCalls
  readonly #made: Partial<Record<keyof DurableCode, unknown>> = {}

  constructor(calls: DurableCalls) {
    this.#calls = calls
  }

  static get(code: Code, name: keyof DurableCode): unknown {
    code.#made[name] ??= MAKERS[name](code.#calls)
    return code.#made[name]
  }
}

for (const name of DURABLE_CALLS) {
  Object.defineProperty(Code.prototype, name, {
    get(this: Code) {
      return Code.get(this, name)
    },
  })
}

/** Makes the calls of one run. */
export function createDurableCode(calls: DurableCalls): DurableCode {
  return new Code(calls) as unknown as DurableCode
}

/** Runs the children of each name as one batch, and puts their outputs in the order of the list. */
async function runTasks(calls: DurableCalls, what: string, children: unknown): Promise<Array<unknown>> {
  // Within a call, so that it is refused like any other; at once, so that ordinals follow the order of the calls.
  const places = await calls.group(what, () => Promise.resolve(placesOf(calls, what, children)))
  const outputs = await Promise.all(
    places.map(({ batch }) => calls.group(what, async () => await runChildren(calls, batch))),
  )
  const all: Array<unknown> = []
  for (const [index, { at }] of places.entries()) {
    for (const [nth, place] of at.entries()) {
      all[place] = outputs[index]?.[nth]
    }
  }
  return all
}

/** The children by name, and where each stands in the list. */
function placesOf(
  calls: DurableCalls,
  what: string,
  given: unknown,
): Array<{ batch: Batch; at: Array<number> }> {
  const children = checkChildren(what, given)
  const places = new Map<string, Array<number>>()
  for (const [index, { name }] of children.entries()) {
    const at = places.get(name) ?? []
    places.set(name, at)
    at.push(index)
  }
  return [...places].map(([name, at]) => ({
    at,
    batch: {
      name,
      from: calls.takeOrdinals(name, at.length),
      children: at.flatMap((index) => children[index]?.child ?? []),
    },
  }))
}
