/** What a borrowed signal passes on, and what it leaves behind. */

import { describe, expect, test, vi } from 'vitest'

import { BorrowedSignal } from './borrowed-signal.ts'
import { createCancelSignal } from './cancel.ts'

describe('a borrowed signal', () => {
  test('calls its listeners once when the lender is cancelled', () => {
    const [lender, cancel] = createCancelSignal()
    const fn = vi.fn<() => void>()
    const borrowed = new BorrowedSignal(lender)
    borrowed.onCancelled(fn)
    borrowed.onCancelled(fn)
    cancel()
    expect(fn).toHaveBeenCalledTimes(1)
  })

  test('calls at once when the lender is cancelled already', () => {
    const [lender, cancel] = createCancelSignal()
    cancel()
    const fn = vi.fn<() => void>()
    new BorrowedSignal(lender).onCancelled(fn)
    expect(fn).toHaveBeenCalledTimes(1)
  })

  test('calls nobody who was taken back', () => {
    const [lender, cancel] = createCancelSignal()
    const fn = vi.fn<() => void>()
    const borrowed = new BorrowedSignal(lender)
    borrowed.onCancelled(fn)
    borrowed.clearOnCancelled(fn)
    cancel()
    expect(fn).not.toHaveBeenCalled()
  })

  test('leaves nothing on the lender when it is given back', () => {
    const left = new Set<() => void>()
    const borrowed = new BorrowedSignal({
      isCancelled: () => false,
      onCancelled: (fn) => void left.add(fn),
      clearOnCancelled: (fn) => void left.delete(fn),
    })
    borrowed.onCancelled(() => {})
    borrowed.giveBack()
    borrowed.onCancelled(() => {})
    expect(left.size).toBe(0)
  })

  test('gives back only its own listeners, though another borrower gave the same function', () => {
    const [lender, cancel] = createCancelSignal()
    const fn = vi.fn<() => void>()
    const ended = new BorrowedSignal(lender)
    const running = new BorrowedSignal(lender)
    ended.onCancelled(fn)
    running.onCancelled(fn)
    ended.giveBack()
    cancel()
    expect(fn).toHaveBeenCalledTimes(1)
  })
})
