/** Programs that run as processes of their own, and are started again when they were killed. */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

/** Keeps one program running. */
export class Program {
  readonly name: string
  readonly #file: string
  readonly #args: ReadonlyArray<string>
  #child: ChildProcess | undefined
  #isWanted = true
  #ready = Promise.withResolvers<unknown>()

  constructor(name: string, file: string, args: ReadonlyArray<string>) {
    this.name = name
    this.#file = file
    this.#args = args
  }

  /** What the program said first, by `process.send`; of the one that runs now, or the next one that comes so far. */
  get ready(): Promise<unknown> {
    return this.#ready.promise
  }

  start(): void {
    const child = fork(this.#file, this.#args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#child = child
    child.once('message', (message) => this.#ready.resolve(message))
    child.once('exit', (code) => {
      if (this.#isWanted && code !== null) {
        // Nobody has killed it: there is no use in starting it again.
        throw new Error(`The ${this.name} ended by itself, with ${code}`)
      }
      if (this.#isWanted) {
        this.#forget()
        this.start()
      }
    })
  }

  /** As the lack of memory, or of power, would; says whether there was something to kill. */
  kill(): boolean {
    return this.#isWanted && this.#child?.kill('SIGKILL') === true
  }

  /** Lets it finish what it is doing. */
  async stop(): Promise<void> {
    this.#isWanted = false
    const child = this.#child
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
  }

  /** What the one before said does not count any more; whoever still waits for its word gets that of the next. */
  #forget(): void {
    const before = this.#ready
    this.#ready = Promise.withResolvers<unknown>()
    void this.#ready.promise.then(before.resolve)
  }
}
