/** A process that works off tasks of a storage it shares with others, when its parent says so. */

import { openOurs } from '../engines/ours.ts'
import { type Worker } from '../engines/engine.ts'
import { type EngineName } from '../names.ts'
import { openOurStorage } from './our-storage.ts'

/** Each is answered by how many tasks this process has run since it was told to start. */
export type WorkerMessage = 'start' | 'count' | 'stop'

const [engine, place] = process.argv.slice(2)
const { storage } = openOurStorage(engine as EngineName, place ?? '')
const session = openOurs(storage, () => Promise.resolve())
let worker: Worker | undefined

process.on('message', (message: WorkerMessage) => {
  void obey(message).then(() => process.send?.(worker?.ran?.() ?? 0))
})
process.on('disconnect', () => {
  // Its parent is gone.
  process.exit()
})
process.send?.(0)

async function obey(message: WorkerMessage): Promise<void> {
  switch (message) {
    case 'start':
      worker = await session.startWorker()
      return
    case 'count':
      return
    case 'stop':
      await worker?.stop()
      return
  }
}
