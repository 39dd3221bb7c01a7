/**
 * The CPU time that Linux has counted: for a server with all its processes, and for the whole machine.
 *
 * The scheduler counts nanoseconds for each living thread. What has ended, and the machine as a whole, is counted
 * in ticks of 10 ms, so that a difference of two readings may be wrong by a tick or two.
 */

import { readdirSync, readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100

// How often a tree is read again because a process of it ended meanwhile.
const READINGS = 10

/** CPU seconds of a process and its children, those that have ended included; undefined where nobody counts. */
export function processTreeSeconds(pid: number): number | undefined {
  for (let reading = 1; reading <= READINGS; reading += 1) {
    const before = readTimes(pid)
    const children = readText(`/proc/${pid}/task/${pid}/children`)
    if (before === undefined || children === undefined) {
      return undefined
    }
    const living = [pid, ...children.split(' ').filter(Boolean).map(Number)].map(livingSeconds)
    // One that ended in between is neither among the living nor yet, as read before, among the ended.
    if (!living.includes(undefined) && readTimes(pid)?.ended === before.ended) {
      return living.reduce<number>((sum, each) => sum + (each ?? 0), before.ended)
    }
  }
  return undefined
}

/** CPU seconds that the machine was busy; undefined where nobody counts. */
export function machineSeconds(): number | undefined {
  const line = readText('/proc/stat')?.split('\n')[0]
  if (line === undefined) {
    return undefined
  }
  const [user = 0, nice = 0, system = 0, , , interrupts = 0, softInterrupts = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user + nice + system + interrupts + softInterrupts) / TICKS_PER_SECOND
}

/** Of one process: undefined if it has ended. */
function livingSeconds(pid: number): number | undefined {
  const own = readTimes(pid)?.own
  // The ticks hold threads that have ended, too; the nanoseconds hold what the last tick does not yet.
  return own === undefined ? undefined : Math.max(own, threadSeconds(pid))
}

/** In whole ticks: of a process itself, and of its children that have ended. */
function readTimes(pid: number): { own: number; ended: number } | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  // After the name, which may hold anything: the 12th and 13th fields are its own, the next two its dead children's.
  const [user, system, endedUser, endedSystem] =
    stat
      ?.slice(stat.lastIndexOf(') ') + 2)
      .split(' ')
      .slice(11, 15)
      .map((ticks) => Number(ticks) / TICKS_PER_SECOND) ?? []
  return user === undefined || system === undefined || endedUser === undefined || endedSystem === undefined
    ? undefined
    : { own: user + system, ended: endedUser + endedSystem }
}

function threadSeconds(pid: number): number {
  return threadsOf(pid).reduce((sum, thread) => {
    const [nanoseconds] = (readText(`/proc/${pid}/task/${thread}/schedstat`) ?? '0').split(' ')
    return sum + Number(nanoseconds) / 1e9
  }, 0)
}

function threadsOf(pid: number): Array<string> {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // It has ended, or this is no Linux.
    return undefined
  }
}
