/** What the calls of one run wait for outside. */

import { type DurableSuspensionStorageObject } from '../../machine/execution.ts'
import { type Engine } from '../engine.ts'
import { type RunHistory } from './history.ts'
import { type OnTold, type Wait, Watch } from './watch.ts'

export class Waits {
  readonly #engine: Engine
  readonly #doors: { onTold: OnTold }
  readonly #history: Pick<RunHistory, 'look'>
  readonly #open = new Set<Wait>()
  /** Made when something is waited for while the run is at work: most runs that are many are short. */
  #watch: Watch | undefined

  /** What is waited for is read anew into the history. */
  constructor(engine: Engine, doors: { onTold: OnTold }, history: Pick<RunHistory, 'look'>) {
    this.#engine = engine
    this.#doors = doors
    this.#history = history
  }

  get areOpen(): boolean {
    return this.#open.size > 0
  }

  /** What the row of the execution is to say of them. */
  suspensions(): Array<DurableSuspensionStorageObject> {
    return [...this.#open].map((wait) => wait.suspension())
  }

  begin(wait: Wait): void {
    this.#open.add(wait)
  }

  end(wait: Wait): void {
    this.#open.delete(wait)
  }

  /** Looks for what is waited for, while the run is at work. */
  watch(): void {
    this.#watch ??= new Watch(this.#engine, (ids, fn) => this.#doors.onTold(ids, fn), {
      ids: () => [...this.#open].flatMap((wait) => wait.ids()),
      look: async (executionIds) => {
        await this.#history.look(executionIds)
        for (const wait of this.#open) {
          wait.onLook()
        }
      },
    })
    this.#watch.start()
  }

  /** Nothing is waited for any more. */
  clear(): void {
    this.#watch?.stop()
    this.#open.clear()
  }
}
