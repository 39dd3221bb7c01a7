/**
 * Whether code runs inside the function of a step, which makes no durable calls of its own. Once the step is remembered its
 * function is not called any more, and so neither are they: what they gave would be lost, and later calls of their names
 * would be taken for them.
 */

import { AsyncLocalStorage } from 'node:async_hooks'

import { DurableExecutionError } from '../../base/errors.ts'

/** Tells one run from others. Nothing more, since whatever a step leaves behind, say a pool of connections, keeps it. */
export type StepMark = object

const around = new AsyncLocalStorage<{ mark: StepMark; name: string }>()

/** Calls the function of a step of that run. */
export function insideStep<T>(mark: StepMark, name: string, fn: () => T): T {
  return around.run({ mark, name }, fn)
}

/** The name of the step of that run whose function this is called from, if it is. */
export function stepAround(mark: StepMark): string | undefined {
  const step = around.getStore()
  return step?.mark === mark ? step.name : undefined
}

export function calledInStep(what: string, name: string): DurableExecutionError {
  return new DurableExecutionError(
    `ctx.${what} was called in the function of step ${name}, which is one thing that is done or not. Call it before or after the step.`,
    false,
  )
}
