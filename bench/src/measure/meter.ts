/** Measures a stretch of work: how long it took, and who used the processors meanwhile. */

import { machineSeconds, processTreeSeconds } from './cpu.ts'

export type Usage = {
  seconds: number
  /** CPU seconds of this process. */
  nodeSeconds: number
  /** CPU seconds of the server; undefined without one, or where they cannot be read. */
  serverSeconds: number | undefined
  /** What everything else on the machine used, in percent of one core. */
  othersPercent: number | undefined
}

/** Begins to measure; what is returned ends it. */
export function startMeter(serverPid: number | undefined): () => Usage {
  const startedAt = performance.now()
  const node = process.cpuUsage()
  const server = readServer(serverPid)
  const machine = machineSeconds()
  return () => {
    const seconds = (performance.now() - startedAt) / 1_000
    const { user, system } = process.cpuUsage(node)
    const nodeSeconds = (user + system) / 1e6
    const serverSeconds = difference(readServer(serverPid), server)
    const busy = difference(machineSeconds(), machine)
    return {
      seconds,
      nodeSeconds,
      serverSeconds,
      othersPercent:
        busy === undefined
          ? undefined
          : Math.max(0, ((busy - nodeSeconds - (serverSeconds ?? 0)) / seconds) * 100),
    }
  }
}

/** Resolves after so long. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

/** Asks again and again, with a pause between (with 0 without one), until the answer is yes. */
export async function until(ask: () => Promise<boolean> | boolean, pauseMs: number): Promise<void> {
  while (!(await ask())) {
    if (pauseMs > 0) {
      await pause(pauseMs)
    }
  }
}

function readServer(pid: number | undefined): number | undefined {
  return pid === undefined ? undefined : processTreeSeconds(pid)
}

function difference(later: number | undefined, earlier: number | undefined): number | undefined {
  return later === undefined || earlier === undefined ? undefined : later - earlier
}
