/**
 * Waits for signals. The signals of one name are a queue: whoever waits first gets the first one, sent before or after, and a
 * wait that times out takes none.
 */

import { type Millis } from '../../base/clock.ts'
import { DurableExecutionError, DurableExecutionTimedOutError, messageOf } from '../../base/errors.ts'
import { type ExecutionRow } from '../../machine/execution.ts'
import { signalId, timeoutId } from '../../machine/records.ts'
import { type Call, type DurableCalls } from './calls.ts'
import { checkKind } from './names.ts'

// So often does a run that stays for a wait look for its signal.
const LOOK_EVERY_MS = 100

type Slot = { isReady: boolean; give: (signal: ExecutionRow) => void }

/** All waits of one name in one run, in their order. */
class SignalQueue {
  readonly #calls: DurableCalls
  readonly #name: string
  /** Those that have neither got a signal nor timed out. */
  readonly #open: Array<Slot> = []
  #taken = 0
  /** Resolves when it is known of all waits so far whether they timed out in an earlier run. */
  #read: Promise<unknown> = Promise.resolve()

  constructor(calls: DurableCalls, name: string) {
    this.#calls = calls
    this.#name = name
  }

  enter(slot: Slot): void {
    this.#open.push(slot)
  }

  /** Resolves when it is known of all waits before: until then it cannot be said which signal is whose. */
  after(read: Promise<unknown>): Promise<unknown> {
    const before = this.#read
    this.#read = before.then(async () => {
      await read
    })
    return before
  }

  /** The slot takes no signal. */
  leave(slot: Slot): void {
    const place = this.#open.indexOf(slot)
    if (place >= 0) {
      this.#open.splice(place, 1)
    }
    this.give()
  }

  /** The ordinal of the signal that the slot is to get, as it looks now. */
  ordinalOf(slot: Slot): number {
    return this.#taken + 1 + this.#open.indexOf(slot)
  }

  idOf(slot: Slot): string {
    return signalId(this.#calls.prefix, this.#name, this.ordinalOf(slot))
  }

  /** The ids of the signals that it and those before it are to get. */
  idsUpTo(slot: Slot): Array<string> {
    const last = this.ordinalOf(slot)
    return Array.from({ length: last - this.#taken }, (_, index) =>
      signalId(this.#calls.prefix, this.#name, this.#taken + 1 + index),
    )
  }

  /** Gives the signals that are known to those who wait, in order. */
  give(): void {
    for (let first = this.#open[0]; first?.isReady === true; first = this.#open[0]) {
      const signal = this.#calls.history.known(this.idOf(first))
      if (signal === undefined) {
        return
      }
      this.#open.shift()
      this.#taken += 1
      first.give(signal)
    }
  }
}

const queuesOf = new WeakMap<DurableCalls, Map<string, SignalQueue>>()

function queueOf(calls: DurableCalls, name: string): SignalQueue {
  const queues = queuesOf.get(calls) ?? new Map<string, SignalQueue>()
  queuesOf.set(calls, queues)
  const queue = queues.get(name) ?? new SignalQueue(calls, name)
  queues.set(name, queue)
  return queue
}

/** Gives the text of the next signal of that name. */
export async function waitForSignal(
  calls: DurableCalls,
  call: Call,
  timeoutMs: number | undefined,
): Promise<string> {
  const queue = queueOf(calls, call.name)
  let got: ExecutionRow | undefined
  let onGot = (): void => {}
  const slot: Slot = {
    isReady: false,
    give: (signal) => {
      got = signal
      onGot()
    },
  }
  // At once, so that the order of the calls is that of the queue.
  queue.enter(slot)
  const read = readOwn()
  const before = queue.after(read)
  try {
    return await waitInQueue()
  } catch (error) {
    queue.leave(slot)
    throw error
  }

  async function readOwn(): Promise<Array<ExecutionRow | undefined>> {
    const rows = await calls.insist(async () => await calls.history.get([call.id, timeoutId(call.id)]))
    if (rows[1] !== undefined) {
      // Before those behind it hear that this is known.
      queue.leave(slot)
    }
    return rows
  }

  async function waitInQueue(): Promise<string> {
    const { history, attempt } = calls
    const [known, timedOut] = await read
    checkKind(known, '#wait', call, attempt.row.executionId)
    if (timedOut !== undefined) {
      throw timedOutError(call.name)
    }
    const until = timeoutMs === undefined ? undefined : untilOf(known, calls.engine.store.now(), timeoutMs)
    if (known === undefined) {
      const record = { executionId: call.id, kind: '#wait' as const }
      calls.writer.add({ records: [until === undefined ? record : { ...record, dueAt: new Date(until) }] })
    }
    // A read may fail and be made again, while those behind it are answered: they must not decide anything before.
    await before
    // Where rows are read one by one, this is the first that is heard of it. Those before it may have timed out, and leave theirs to it.
    await calls.insist(async () => await history.get(queue.idsUpTo(slot)))
    slot.isReady = true
    queue.give()
    await untilGotOrOver(until)
    if (got === undefined && (await isTimedOut(calls, call, queue, slot))) {
      throw timedOutError(call.name)
    }
    // Those before it may be about to time out, and leave their signals to it.
    await untilGot()
    return got?.output ?? ''
  }

  async function untilGot(): Promise<void> {
    if (got === undefined) {
      await new Promise<void>((resolve) => {
        onGot = resolve
      })
    }
  }

  async function untilGotOrOver(until: Millis | undefined): Promise<void> {
    if (got !== undefined) {
      return
    }
    if (until !== undefined && calls.moments.isNear(until)) {
      // The run stays, and looks for the signal now and then.
      for (
        let now = calls.engine.store.now();
        got === undefined && now < until;
        now = calls.engine.store.now()
      ) {
        await calls.moments.until(Math.min(until, now + LOOK_EVERY_MS))
        await calls.insist(async () => await calls.history.look(queue.idsUpTo(slot)))
        queue.give()
      }
      return
    }
    await calls.outside<void>(
      {
        suspension: () => ({
          kind: 'signal',
          name: call.name,
          ordinal: queue.ordinalOf(slot),
          ...(until === undefined ? {} : { until }),
        }),
        ids: () => (got === undefined ? [queue.idOf(slot)] : []),
        onLook: () => queue.give(),
      },
      ({ resolve }) => {
        onGot = () => resolve()
        if (until !== undefined) {
          calls.moments.at(until, () => resolve())
        }
      },
    )
  }
}

/** Remembers that the wait timed out, unless a signal has come; tells whether it did. */
async function isTimedOut(calls: DurableCalls, call: Call, queue: SignalQueue, slot: Slot): Promise<boolean> {
  // Which of the two came first is decided by what is stored, and not by what is heard of meanwhile.
  slot.isReady = false
  const unless = queue.idOf(slot)
  await calls.writer.write({ executionId: timeoutId(call.id), kind: '#timeout', unless })
  const ids = [timeoutId(call.id), ...queue.idsUpTo(slot)]
  await calls.insist(async () => await calls.history.look(ids))
  if (calls.history.known(timeoutId(call.id)) !== undefined) {
    return true
  }
  slot.isReady = true
  queue.give()
  return false
}

function untilOf(known: ExecutionRow | undefined, now: Millis, timeoutMs: number): Millis {
  if (known === undefined) {
    return now + timeoutMs
  }
  // A wait that had no time limit when it began counts from then.
  return known.startAt > known.createdAt ? known.startAt.getTime() : known.createdAt.getTime() + timeoutMs
}

/** What a wait whose time is over rejects with. */
export function timedOutError(name: string): DurableExecutionTimedOutError {
  return new DurableExecutionTimedOutError(`No signal ${name} came in time`)
}

/** The payload of a signal as the wait gives it: checked, if the wait says how. */
export async function payloadOf(
  { engine }: Pick<DurableCalls, 'engine'>,
  name: string,
  text: string,
  validate: ((payload: unknown) => Promise<unknown>) | undefined,
): Promise<unknown> {
  const payload: unknown = engine.serializer.deserialize(text)
  if (validate === undefined) {
    return payload
  }
  try {
    return await validate(payload)
  } catch (error) {
    throw new DurableExecutionError(`Invalid payload of signal ${name}: ${messageOf(error)}`, false, {
      cause: error,
    })
  }
}
