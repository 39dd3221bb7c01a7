/** durable-execution, kept in the memory of the process. */

import { createInMemoryStorage } from 'durable-execution'

import { countTransactions } from './counting-storage.ts'
import { type Engine } from './engine.ts'
import { openOurs, OUR_SETTINGS, OUR_STEPS } from './ours.ts'

export const engine: Engine = {
  server: 'nothing',
  settings: `${OUR_SETTINGS}; nothing survives the process; idle, its transactions are those in which it looked at its rows`,
  steps: OUR_STEPS,
  open: (_place, test) => {
    const storage = createInMemoryStorage()
    const close = async (): Promise<void> => await storage.close()
    if (test !== 'idle') {
      return Promise.resolve(openOurs(storage, close))
    }
    const { counted, asked } = countTransactions(storage)
    return Promise.resolve({ ...openOurs(counted, close), countAsked: asked })
  },
}
