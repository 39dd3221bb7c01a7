/** How cases say that wrong use is refused: with a text, and never to be tried again. */

import assert from 'node:assert/strict'

import { DurableExecutionError } from '../../../base/errors.ts'

/** What the call throws or rejects with must be an error of ours that is not retryable and has the text. */
export async function assertRefused(call: () => unknown, text: string | RegExp): Promise<void> {
  // A call that throws at once and one that rejects are refusals alike.
  await assert.rejects(
    async () => await call(),
    (error: unknown) => {
      assert.ok(error instanceof DurableExecutionError, `it was refused with ${String(error)}`)
      assert.equal(error.isRetryable, false)
      assertText(error.message, text)
      return true
    },
  )
}

/** A text must be the given one or, for a pattern, match it. */
export function assertText(actual: string | undefined, text: string | RegExp): void {
  if (typeof text === 'string') {
    assert.equal(actual, text)
  } else {
    assert.match(actual ?? '', text)
  }
}
