/** Events for tests of the rules. */

import { type DurableExecutionErrorStorageObject } from '../base/errors.ts'
import { type NewChild, type OutsideEvent } from './event.ts'
import { failure, leaseNamed, NOW } from './rows.test-support.ts'

type About = { of?: string; lease?: string }

export function claimed({ of = 'x', lease = 'third' }: About = {}): OutsideEvent {
  return {
    kind: 'claimed',
    executionId: of,
    leaseId: lease,
    executorId: 'executor',
    expiresAt: new Date(NOW + 30_000),
  }
}

export function renewed({ of = 'x', lease = 'first' }: About = {}): OutsideEvent {
  return { kind: 'renewed', executionId: of, lease: leaseNamed(lease), expiresAt: new Date(NOW + 60_000) }
}

export function completed({
  of = 'x',
  lease = 'first',
  output = 'output',
}: About & { output?: string } = {}): OutsideEvent {
  return { kind: 'succeeded', executionId: of, lease: leaseNamed(lease), runOutput: output }
}

export function fannedOut({
  of = 'p',
  lease = 'first',
  children = [],
}: About & { children?: ReadonlyArray<NewChild> } = {}): OutsideEvent {
  return {
    kind: 'fanned_out',
    executionId: of,
    lease: leaseNamed(lease),
    runOutput: 'parent output',
    children,
  }
}

export function newChild(index: number): NewChild {
  return {
    executionId: `c${index}`,
    taskId: 'child',
    retryOptions: { maxAttempts: 0 },
    sleepMsBeforeRun: 0,
    timeoutMs: 1_000,
    runInput: `input ${index}`,
  }
}

export function failed({
  of = 'x',
  lease = 'first',
  error = failure('No luck'),
}: About & { error?: DurableExecutionErrorStorageObject } = {}): OutsideEvent {
  return { kind: 'failed', executionId: of, lease: leaseNamed(lease), error }
}

export function released({ of = 'x', lease = 'first' }: About = {}): OutsideEvent {
  return { kind: 'released', executionId: of, lease: leaseNamed(lease) }
}

export function lost({ of = 'x', maxLosses = 3 }: About & { maxLosses?: number } = {}): OutsideEvent {
  return { kind: 'lost', executionId: of, maxLosses }
}

export function cancelled({ of = 'x' }: About = {}): OutsideEvent {
  return { kind: 'cancelled', executionId: of }
}

export function parentEnded({ of, message }: { of: string; message: string }): OutsideEvent {
  return { kind: 'parent_ended', executionId: of, parentError: failure(message, { errorType: 'cancelled' }) }
}

export function closed({
  of = 'x',
  isBelowClosed = true,
  compensation,
}: About & { isBelowClosed?: boolean; compensation?: NewChild } = {}): OutsideEvent {
  const event = { kind: 'closed' as const, executionId: of, isBelowClosed }
  return compensation === undefined ? event : { ...event, compensation }
}
