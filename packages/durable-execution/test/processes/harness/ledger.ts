/** The ledger: a file to which every process adds a line whenever a task's function starts or ends. */

import { openSync, readFileSync, writeSync } from 'node:fs'

/**
 * What a line tells: that a function began, returned, threw on purpose, or heard that it should stop; or that
 * the process itself could not do anything for a while, which costs leases like any other stall: it stood still, or
 * waited for the storage to answer. Or that a step of durable code was done.
 */
const KINDS = ['start', 'end', 'fail', 'stopped', 'stall', 'wait', 'effect'] as const

export type LedgerLine = {
  what: (typeof KINDS)[number]
  /** For an effect the idempotency key of its step. */
  executionId: string
  /** From 0; for a line that tells of the process, how many milliseconds it could do nothing; for an effect its value. */
  attempt: number
  pid: number
  /** When, in milliseconds since 1970, by the clock of the machine that all processes share. */
  at: number
  taskId: string
}

/** Whether the line tells of the process, and not of a task. */
export function isStandstill({ what }: Pick<LedgerLine, 'what'>): boolean {
  return what === 'stall' || what === 'wait'
}

/** Whether the line tells of a run of a task's function. */
export function isOfRun({ what }: Pick<LedgerLine, 'what'>): boolean {
  return what !== 'effect' && !isStandstill({ what })
}

/** Adds a line; of now, unless it says when. */
export type Note = (line: Omit<LedgerLine, 'pid' | 'at'> & { at?: number }) => void

/** Opens the ledger to add to it. A line is one write at the end of the file, so those of many processes do not mix. */
export function openLedger(path: string, now: () => number = () => Date.now()): Note {
  const file = openSync(path, 'a')
  return ({ what, executionId, attempt, taskId, at = now() }) => {
    writeSync(file, `${what} ${executionId} ${attempt} ${process.pid} ${at} ${taskId}\n`)
  }
}

/** All lines so far. One that is not whole is an error: it would be evidence that is lost. */
export function readLedger(path: string): Array<LedgerLine> {
  return parseLedger(readFileSync(path, 'utf8'))
}

export function parseLedger(text: string): Array<LedgerLine> {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [what, executionId = '', attempt, pid, at, taskId] = line.split(' ')
      const kind = KINDS.find((known) => known === what)
      if (kind === undefined || taskId === undefined) {
        throw new Error(`The ledger has a line that is none: ${line}`)
      }
      return {
        what: kind,
        executionId,
        attempt: Number(attempt),
        pid: Number(pid),
        at: Number(at),
        taskId,
      }
    })
}
