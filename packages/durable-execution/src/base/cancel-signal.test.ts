/** What a signal promises to those who listen. */

import { describe, expect, test, vi } from 'vitest'

import { createCancelSignal } from './cancel.ts'
import { type Logger } from './logger.ts'

function recordingLogger(): Logger & { errors: Array<Array<unknown>> } {
  const errors: Array<Array<unknown>> = []
  return { errors, debug: () => {}, info: () => {}, error: (...line) => errors.push(line) }
}

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

describe('a cancel signal', () => {
  test('is not cancelled until it is cancelled', () => {
    const [signal, cancel] = createCancelSignal()
    const before = signal.isCancelled()
    cancel()
    expect([before, signal.isCancelled()]).toEqual([false, true])
  })

  test('calls each subscriber once, in the order they came', () => {
    const [signal, cancel] = createCancelSignal()
    const calls: Array<string> = []
    const first = (): void => void calls.push('first')
    signal.onCancelled(first)
    signal.onCancelled(() => calls.push('second'))
    signal.onCancelled(first)
    cancel()
    cancel()
    expect(calls).toEqual(['first', 'second'])
  })

  test('calls back at once when it is cancelled already', () => {
    const [signal, cancel] = createCancelSignal()
    cancel()
    const fn = vi.fn<() => void>()
    signal.onCancelled(fn)
    expect(fn).toHaveBeenCalledTimes(1)
  })

  test('does not call a subscriber that was taken back', () => {
    const [signal, cancel] = createCancelSignal()
    const fn = vi.fn<() => void>()
    signal.clearOnCancelled(fn)
    signal.onCancelled(fn)
    signal.clearOnCancelled(fn)
    cancel()
    expect(fn).not.toHaveBeenCalled()
  })

  test('does not call a subscriber that an earlier one takes back while being called', () => {
    const [signal, cancel] = createCancelSignal()
    const second = vi.fn<() => void>()
    signal.onCancelled(() => signal.clearOnCancelled(second))
    signal.onCancelled(second)
    cancel()
    expect(second).not.toHaveBeenCalled()
  })

  test('calls the others when one subscriber throws, and logs what it threw', () => {
    const logger = recordingLogger()
    const [signal, cancel] = createCancelSignal({ logger })
    const second = vi.fn<() => void>()
    signal.onCancelled(() => {
      throw new Error('broken')
    })
    signal.onCancelled(second)
    cancel()
    expect([second.mock.calls.length, logger.errors]).toEqual([
      1,
      [['Error in a function given to onCancelled', new Error('broken')]],
    ])
  })

  test('logs what an asynchronous subscriber rejects with', async () => {
    const logger = recordingLogger()
    const [signal, cancel] = createCancelSignal({ logger })
    signal.onCancelled(() => Promise.reject(new Error('broken')))
    cancel()
    await vi.waitFor(() => expect(logger.errors).toHaveLength(1))
  })

  test('logs a subscriber that throws when called back at once', () => {
    const logger = recordingLogger()
    const [signal, cancel] = createCancelSignal({ logger })
    cancel()
    signal.onCancelled(() => {
      throw new Error('broken')
    })
    expect(logger.errors).toHaveLength(1)
  })

  test('takes null options for options that were not given', () => {
    const [signal] = createCancelSignal({ abortSignal: null, logger: null })
    expect(signal.isCancelled()).toBe(false)
  })
})

describe('a cancel signal with an abort signal', () => {
  test('is cancelled when that aborts', () => {
    const controller = new AbortController()
    const [signal] = createCancelSignal({ abortSignal: controller.signal })
    const fn = vi.fn<() => void>()
    signal.onCancelled(fn)
    controller.abort()
    expect([signal.isCancelled(), fn.mock.calls.length]).toEqual([true, 1])
  })

  test('is cancelled from the start when that has aborted', () => {
    const [signal] = createCancelSignal({ abortSignal: AbortSignal.abort() })
    expect(signal.isCancelled()).toBe(true)
  })

  test('calls its subscribers once when it is cancelled and then aborted', () => {
    const controller = new AbortController()
    const [signal, cancel] = createCancelSignal({ abortSignal: controller.signal })
    const fn = vi.fn<() => void>()
    signal.onCancelled(fn)
    cancel()
    controller.abort()
    expect(fn).toHaveBeenCalledTimes(1)
  })

  test('listens to it only while somebody listens to the signal', () => {
    const { signal: abortSignal } = new AbortController()
    const listeners = countListeners(abortSignal)
    const [signal] = createCancelSignal({ abortSignal })
    const fn = (): void => {}
    const counts = [listeners()]
    signal.onCancelled(fn)
    counts.push(listeners())
    signal.clearOnCancelled(fn)
    counts.push(listeners())
    expect(counts).toEqual([0, 1, 0])
  })

  test('leaves no listener on it once cancelled', () => {
    const { signal: abortSignal } = new AbortController()
    const listeners = countListeners(abortSignal)
    const [signal, cancel] = createCancelSignal({ abortSignal })
    signal.onCancelled(() => {})
    cancel()
    expect(listeners()).toBe(0)
  })
})
