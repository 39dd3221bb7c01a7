/** What a process holds at one moment, after all that it need not hold was collected. */

import { type StorageSample } from './places.ts'

export type Sample = StorageSample & {
  minutes: number
  /** Executions that have ended so far. */
  executions: number
  heapBytes: number
  rssBytes: number
  /** What keeps the process alive: sockets, pipes, timers. */
  handles: number
  /** Of the process itself, and of its sockets and pipes. */
  listeners: number
  /** Timers that are set, those included that do not keep the process alive. */
  timers: number
}

type Emitter = { eventNames: () => Array<string | symbol>; listenerCount: (name: string | symbol) => number }

// Set by counting at the door: Node itself tells only of timers that keep it alive.
const pending = new Set<unknown>()

/** From now on timers are counted. */
export function countTimers(): void {
  const { setTimeout: set, clearTimeout: clear } = globalThis
  const counted = (
    fn: (...given: Array<unknown>) => void,
    ms?: number,
    ...given: Array<unknown>
  ): unknown => {
    const timer = set(() => {
      pending.delete(timer)
      fn(...given)
    }, ms)
    pending.add(timer)
    return timer
  }
  const cleared = (timer: NodeJS.Timeout | undefined): void => {
    pending.delete(timer)
    clear(timer)
  }
  globalThis.setTimeout = Object.assign(counted, set) as typeof setTimeout
  globalThis.clearTimeout = cleared as typeof clearTimeout
}

/** Looks at the process. */
export function sampleProcess(): Omit<Sample, 'minutes' | 'executions' | keyof StorageSample> {
  if (globalThis.gc === undefined) {
    throw new Error('A process is looked at after a collection: node --expose-gc')
  }
  // What the first one finalizes, the second one takes.
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, rss } = process.memoryUsage()
  return {
    heapBytes: heapUsed,
    rssBytes: rss,
    handles: process.getActiveResourcesInfo().length,
    listeners: [process, ...activeEmitters()].reduce((total, emitter) => total + listenersOf(emitter), 0),
    timers: pending.size,
  }
}

// Node has no public list of them; this one has been there, undocumented, in every version.
function activeEmitters(): Array<Emitter> {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles?: () => Array<unknown> }
  return (handles?.call(process) ?? []).filter(
    (handle): handle is Emitter => typeof (handle as Partial<Emitter>).eventNames === 'function',
  )
}

function listenersOf(emitter: Emitter): number {
  return emitter.eventNames().reduce((total, name) => total + emitter.listenerCount(name), 0)
}
