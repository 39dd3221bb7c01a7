/** The size of what a task is given and gives. */

import { DurableExecutionError } from './errors.ts'

/** Refuses a text that is larger than allowed; the error says what of which task it is. */
export function checkPayload(text: string, what: string, taskId: string, maxBytes: number): void {
  // No character takes more than three bytes, so most texts need not be measured.
  if (text.length * 3 <= maxBytes) {
    return
  }
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes) {
    const about = what + taskId
    throw new DurableExecutionError(
      `${about} is ${bytes} bytes long; at most ${maxBytes} are allowed (limit: maxPayloadBytes). ` +
        'Keep large contents elsewhere and pass where they are.',
      false,
    )
  }
}
