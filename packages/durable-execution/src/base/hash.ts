/** Names made of other names. */

import { createHash } from 'node:crypto'

/** A short name that is the same wherever it is computed: 32 hexadecimal digits of SHA-256 over the parts. */
export function hashName(parts: Array<string>): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
}
