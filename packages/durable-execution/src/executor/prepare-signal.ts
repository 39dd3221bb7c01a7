/** From a call of `signal` to what is sent: everything is checked before anything is written. */

import { DurableExecutionError } from '../base/errors.ts'
import { checkPayload } from '../base/payload.ts'
import { type SentSignal } from '../store/signal.ts'
import { shown } from '../task/options.ts'
import { checkNameOf } from './durable/names.ts'
import { type Engine } from './engine.ts'

/** The signal, ready to be sent. */
export function prepareSignal(
  executionId: unknown,
  givenName: unknown,
  payload: unknown,
  options: { idempotencyKey?: unknown } | null | undefined,
  { serializer, options: { maxPayloadBytes } }: Pick<Engine, 'serializer' | 'options'>,
): Omit<SentSignal, 'token'> {
  if (typeof executionId !== 'string') {
    throw new DurableExecutionError(`Invalid execution id: must be a text, got ${shown(executionId)}`, false)
  }
  const name = checkNameOf('executor.signal', givenName)
  const key = options?.idempotencyKey ?? undefined
  const text = serializer.serialize(payload)
  checkPayload(text, 'The payload of signal ', name, maxPayloadBytes)
  return {
    executionId,
    name,
    payload: text,
    key: key === undefined ? undefined : checkNameOf('the idempotencyKey of executor.signal', key),
  }
}
