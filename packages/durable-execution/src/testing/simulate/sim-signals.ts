/** Those who send signals in a simulation, and what they were told. */

import { type ExecutionRow } from '../../machine/execution.ts'
import { isFinishedStatus } from '../../machine/status.ts'
import { idPrefix, isCompensation, isRecord, signalId } from '../../machine/records.ts'
import { type OpenWait } from './flow-witness.ts'
import { type Life } from './worker.ts'

type Rows = ReadonlyMap<string, ExecutionRow>

/** A signal that somebody sent once, or again under the same key. */
export type Sent = {
  executionId: string
  name: string
  key: string | undefined
  /** In its payload; no other has it. */
  token: string
  /** The number of answers to signals that had come before it was sent, and when its first good one came. */
  sentAfter: number
  acceptedAs: number | undefined
  /** What it was refused with, if it was. */
  refusal: string | undefined
}

export class SimSignals {
  readonly sent: Array<Sent> = []
  readonly #rows: () => Rows
  #accepted = 0

  constructor(rows: () => Rows) {
    this.#rows = rows
  }

  /** Sends it to all durable code of the tree that is not at its end; those who undo take no signals. */
  sendToTree(life: Life, rootId: string, signal: { name: string; key?: string; isTwice?: boolean }): void {
    for (const { executionId, rootTask, taskId, status } of this.#rows().values()) {
      const isOfTree = executionId === rootId || rootTask?.executionId === rootId
      if (isOfTree && taskId === 'flow' && this.#isExecution(executionId) && !isFinishedStatus(status)) {
        this.#send(life, { executionId, ...signal })
      }
    }
  }

  /** Sends what is waited for and nobody has sent; until that is answered it is not sent again. */
  answer(life: Life, waits: ReadonlyArray<OpenWait>): void {
    for (const { executionId, name } of waits) {
      // A key of its own, so that it counts once however often it is sent. Others may wait for it, and get it.
      const key = `answer ${this.#countOf(executionId, name) + 1}`
      const isUnderWay = this.sent.some(
        (sent) =>
          sent.executionId === executionId &&
          sent.name === name &&
          sent.key === key &&
          sent.acceptedAs === undefined &&
          sent.refusal === undefined,
      )
      if (!isUnderWay) {
        this.#send(life, { executionId, name, key })
      }
    }
  }

  #countOf(executionId: string, name: string): number {
    const prefix = idPrefix(executionId)
    let count = 0
    while (this.#rows().has(signalId(prefix, name, count + 1))) {
      count += 1
    }
    return count
  }

  #isExecution(executionId: string): boolean {
    const row = this.#rows().get(executionId)
    return row !== undefined && !isRecord(row) && !isCompensation(row)
  }

  #send(
    life: Life,
    {
      executionId,
      name,
      key,
      isTwice,
    }: { executionId: string; name: string; key?: string; isTwice?: boolean },
  ): void {
    const token = `signal ${this.sent.length}`
    const sent: Sent = {
      executionId,
      name,
      key,
      token,
      sentAfter: this.#accepted,
      acceptedAs: undefined,
      refusal: undefined,
    }
    this.sent.push(sent)
    const once = async (): Promise<void> => {
      try {
        await life.executor.signal(executionId, name, { token }, { idempotencyKey: key })
        this.#accepted += 1
        sent.acceptedAs ??= this.#accepted
      } catch (error) {
        sent.refusal = error instanceof Error ? error.message : String(error)
      }
    }
    void once()
    if (isTwice === true) {
      void once()
    }
  }
}
