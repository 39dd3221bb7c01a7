/**
 * Whether code runs inside the function of a step, which makes no durable calls of its own. Once the step is remembered its
 * function is not called any more, and so neither are they: what they gave would be lost, and later calls of their names
 * would be taken for them. In the function of a transaction they would wait, moreover, for a write that waits for the transaction.
 */

import { AsyncLocalStorage } from 'node:async_hooks'

import { DurableExecutionError } from '../../base/errors.ts'

/** Tells one run from others. Nothing more, since whatever a step leaves behind, say a pool of connections, keeps it. */
export type StepMark = object

export type StepKind = 'step' | 'transaction'

const around = new AsyncLocalStorage<{ mark: StepMark; kind: StepKind; name: string }>()

/** Calls the function of a step of that run. */
export function insideFunction<T>(mark: StepMark, kind: StepKind, name: string, fn: () => T): T {
  return around.run({ mark, kind, name }, fn)
}

/** The error of a call that comes from inside the function of a step of that run; undefined elsewhere. */
export function calledInside(mark: StepMark, what: string): DurableExecutionError | undefined {
  const here = around.getStore()
  return here?.mark === mark
    ? new DurableExecutionError(
        `ctx.${what} was called in the function of ${here.kind} ${here.name}, which is one thing that is done or not. Call it before or after that.`,
        false,
      )
    : undefined
}
