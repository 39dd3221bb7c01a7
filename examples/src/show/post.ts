/** Asks a service over http: what each program here does to the world outside. */

import { DurableExecutionError, type DurableStepContext } from 'durable-execution'

/**
 * Asks, with the key and the signal of a step. What another try may mend rejects with an error that is tried again; a refusal
 * rejects with one that is not.
 */
export async function post<TAnswer>(
  url: string,
  body: unknown,
  { idempotencyKey, abortSignal }: Pick<DurableStepContext, 'idempotencyKey' | 'abortSignal'>,
): Promise<TAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
    body: JSON.stringify(body),
    signal: abortSignal,
  })
  const answer = (await response.json()) as TAnswer & { message?: string }
  if (!response.ok) {
    throw new DurableExecutionError(
      answer.message ?? `${url} says ${response.status}`,
      response.status >= 500,
    )
  }
  return answer
}
