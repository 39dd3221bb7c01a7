/** Why signals were cancelled, their bridge to AbortSignal, timeouts, and waits that end early. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import {
  createCancellablePromise,
  createCancelSignal,
  createReasonedCancelSignal,
  createTimeoutCancelSignal,
  getReason,
  toAbortSignal,
  toCancelSignal,
} from './cancel.ts'
import {
  DurableExecutionCancelledError,
  DurableExecutionError,
  DurableExecutionTimedOutError,
} from './errors.ts'

// How many listeners an AbortSignal has, counted from outside.
function countListeners(signal: AbortSignal): () => number {
  let count = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  vi.spyOn(signal, 'addEventListener').mockImplementation((...args: Parameters<typeof add>) => {
    count += 1
    add(...args)
  })
  vi.spyOn(signal, 'removeEventListener').mockImplementation((...args: Parameters<typeof remove>) => {
    count -= 1
    remove(...args)
  })
  return () => count
}

const never = new Promise<never>(() => {})

describe('the reason of a signal', () => {
  test('is absent while it is not cancelled', () => {
    expect(getReason(createCancelSignal()[0])).toBeUndefined()
  })

  test('is the one it was first cancelled with', () => {
    const [signal, cancel] = createReasonedCancelSignal()
    const reason = new DurableExecutionTimedOutError()
    cancel(reason)
    cancel(new DurableExecutionCancelledError())
    expect(getReason(signal)).toBe(reason)
  })

  test('is a cancelled error when none was given', () => {
    const [signal, cancel] = createCancelSignal()
    cancel()
    expect(getReason(signal)).toEqual(new DurableExecutionCancelledError())
  })

  test('is a cancelled error caused by what the abort signal aborted with', () => {
    const reason = getReason(toCancelSignal(AbortSignal.abort('enough')))
    expect([reason?.getErrorType(), reason?.cause]).toEqual(['cancelled', 'enough'])
  })

  test('is the error of ours that the abort signal aborted with', () => {
    const error = new DurableExecutionTimedOutError('late')
    expect(getReason(toCancelSignal(AbortSignal.abort(error)))).toBe(error)
  })

  test('is a cancelled error for a signal that somebody else made', () => {
    const foreign = { onCancelled: () => {}, clearOnCancelled: () => {}, isCancelled: () => true }
    expect(getReason(foreign)).toEqual(new DurableExecutionCancelledError())
  })
})

describe('the bridge to AbortSignal', () => {
  test('aborts with the reason when the signal is cancelled', () => {
    const [signal, cancel] = createReasonedCancelSignal()
    const abortSignal = toAbortSignal(signal)
    const reason = new DurableExecutionTimedOutError()
    cancel(reason)
    expect([abortSignal.aborted, abortSignal.reason]).toEqual([true, reason])
  })

  test('has aborted from the start when the signal is cancelled already', () => {
    const [signal, cancel] = createCancelSignal()
    cancel()
    expect(toAbortSignal(signal).aborted).toBe(true)
  })

  test('leaves a cancel signal as it is', () => {
    const [signal] = createCancelSignal()
    expect(toCancelSignal(signal)).toBe(signal)
  })
})

describe('a timeout signal', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('is cancelled when its time has passed, and not before', async () => {
    const signal = createTimeoutCancelSignal(1_000)
    await vi.advanceTimersByTimeAsync(999)
    const before = signal.isCancelled()
    await vi.advanceTimersByTimeAsync(1)
    expect([before, signal.isCancelled()]).toEqual([false, true])
  })

  test('has a timed out error as its reason', async () => {
    const signal = createTimeoutCancelSignal(5)
    await vi.advanceTimersByTimeAsync(5)
    expect(getReason(signal)).toEqual(new DurableExecutionTimedOutError())
  })

  test('sets its timer with the clock it is given, without keeping the process alive', () => {
    const timers: Array<unknown> = []
    createTimeoutCancelSignal(
      7,
      {},
      {
        now: () => 0,
        monotonicNow: () => 0,
        setImmediate: () => {},
        setTimer: (ms, _fn, options) => {
          timers.push([ms, options?.keepsProcessAlive ?? false])
          return { cancel: () => {} }
        },
      },
    )
    expect(timers).toEqual([[7, false]])
  })

  test.each([NaN, Infinity, -Infinity])('refuses %s', (ms) => {
    expect(() => createTimeoutCancelSignal(ms)).toThrow('is no finite number of milliseconds')
  })
})

describe('a cancellable promise', () => {
  test('is the promise itself when there is no signal', () => {
    const promise = Promise.resolve(1)
    expect([createCancellablePromise(promise), createCancellablePromise(promise, null)]).toEqual([
      promise,
      promise,
    ])
  })

  test('resolves with what the promise resolves with', async () => {
    await expect(createCancellablePromise(Promise.resolve(1), createCancelSignal()[0])).resolves.toBe(1)
  })

  test('rejects with what the promise rejects with', async () => {
    const error = new Error('broken')
    await expect(createCancellablePromise(Promise.reject(error), createCancelSignal()[0])).rejects.toBe(error)
  })

  test('rejects as soon as the signal is cancelled', async () => {
    const [signal, cancel] = createCancelSignal()
    const wait = createCancellablePromise(never, signal)
    cancel()
    await expect(wait).rejects.toThrow(new DurableExecutionCancelledError())
  })

  test('rejects as soon as an abort signal aborts', async () => {
    const controller = new AbortController()
    const wait = createCancellablePromise(never, controller.signal)
    controller.abort()
    await expect(wait).rejects.toThrow(DurableExecutionCancelledError)
  })

  test('rejects with the given error when it is one of ours', async () => {
    const [signal, cancel] = createCancelSignal()
    const error = new DurableExecutionError('no more')
    const wait = createCancellablePromise(never, signal, error)
    cancel()
    await expect(wait).rejects.toBe(error)
  })

  test('rejects with a cancelled error of the message of any other given error', async () => {
    const [signal, cancel] = createCancelSignal()
    const wait = createCancellablePromise(never, signal, new Error('no more'))
    cancel()
    await expect(wait).rejects.toThrow(new DurableExecutionCancelledError('no more'))
  })

  test('keeps the reason of the signal as the cause', async () => {
    const [signal, cancel] = createReasonedCancelSignal()
    const reason = new DurableExecutionTimedOutError()
    cancel(reason)
    await expect(createCancellablePromise(never, signal)).rejects.toMatchObject({ cause: reason })
  })

  test('rejects at once for a cancelled signal, and nothing is left unhandled', async () => {
    const unhandled = vi.fn<(error: unknown) => void>()
    process.on('unhandledRejection', unhandled)
    try {
      const [signal, cancel] = createCancelSignal()
      cancel()
      const wait = createCancellablePromise(Promise.reject(new Error('broken')), signal)
      await expect(wait).rejects.toThrow(DurableExecutionCancelledError)
      // Unhandled rejections are told after the microtasks of a turn.
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
      expect(unhandled).not.toHaveBeenCalled()
    } finally {
      process.off('unhandledRejection', unhandled)
    }
  })

  test('works with a signal that somebody else made and that does not call back when cancelled', async () => {
    const foreign = { onCancelled: () => {}, clearOnCancelled: () => {}, isCancelled: () => true }
    await expect(createCancellablePromise(never, foreign)).rejects.toThrow(DurableExecutionCancelledError)
  })

  test.each([
    ['resolves', () => Promise.resolve()],
    ['rejects', () => Promise.reject(new Error('broken'))],
  ])('leaves no listener on a long-lived abort signal when the promise %s', async (_, make) => {
    const { signal } = new AbortController()
    const listeners = countListeners(signal)
    await createCancellablePromise(make(), signal).catch(() => {})
    expect(listeners()).toBe(0)
  })
})
