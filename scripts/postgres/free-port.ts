/** Finds a port that nobody listens on. */

import { createServer } from 'node:net'

/** A port of 127.0.0.1 that is free at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => {
        if (typeof address === 'object' && address !== null) {
          resolve(address.port)
        } else {
          reject(new Error('The port that was found has no number'))
        }
      })
    })
  })
}
