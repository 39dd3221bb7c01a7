/** Reads rows for handles. */

import { type Doors } from '../base/doors.ts'
import { type ExecutionRow } from '../machine/execution.ts'
import { ACTIVE_STATUSES, type DurableTaskExecutionStatusStorageObject } from '../machine/status.ts'
import { readFields, readRows } from '../store/rows.ts'
import { TogetherReader } from '../store/together-reader.ts'
import { type Transact, withUserTries } from '../store/transact.ts'

export class RowReader {
  readonly #whole: TogetherReader<ExecutionRow>
  readonly #statuses: TogetherReader<Pick<ExecutionRow, 'executionId'> & { status?: unknown }>

  constructor(transact: Transact, { clock, random }: Doors) {
    const patient: Transact = async (fn, hint) =>
      await withUserTries(async () => await transact(fn, hint), clock, random)
    this.#whole = new TogetherReader(patient, readRows)
    this.#statuses = new TogetherReader(patient, async (tx, ids) => [
      ...(await readFields(tx, ids, ['status'])).values(),
    ])
  }

  /** The row, or undefined if there is none. */
  async read(executionId: string): Promise<ExecutionRow | undefined> {
    return (await this.#whole.read([executionId])).get(executionId)
  }

  /**
   * Whether something is still to happen to the execution, for those who look again and again: a whole row may have payloads and a
   * hundred thousand children.
   */
  async isActive(executionId: string): Promise<boolean> {
    const { status } = (await this.#statuses.read([executionId])).get(executionId) ?? {}
    return ACTIVE_STATUSES.includes(status as DurableTaskExecutionStatusStorageObject)
  }
}
