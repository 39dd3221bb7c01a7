/** Log lines go where they should, and never disturb the work. */

import { afterEach, describe, expect, test, vi } from 'vitest'

import { createConsoleLogger, guardLogger, type Logger } from './logger.ts'

const LEVELS = ['debug', 'info', 'error'] as const

afterEach(() => {
  vi.restoreAllMocks()
})

describe('the console logger', () => {
  test.each(LEVELS)('writes %s lines headed by level and name, with all that was given', (level) => {
    const write = vi.spyOn(console, level).mockImplementation(() => {})
    createConsoleLogger('Shop')[level]('hello', 1, { a: 2 })
    expect(write.mock.calls).toEqual([[`${level.toUpperCase()} [Shop] hello`, 1, { a: 2 }]])
  })
})

describe('a guarded logger', () => {
  const recording = (): { lines: Array<unknown>; logger: Logger } => {
    const lines: Array<unknown> = []
    const write =
      (level: string) =>
      (...line: Array<unknown>): void =>
        void lines.push([level, ...line])
    return { lines, logger: { debug: write('debug'), info: write('info'), error: write('error') } }
  }

  test.each(LEVELS)('passes on %s lines', (level) => {
    const { lines, logger } = recording()
    guardLogger(logger, true)[level]('hello', 1)
    expect(lines).toEqual([[level, 'hello', 1]])
  })

  test('writes no debug lines unless asked to', () => {
    const { lines, logger } = recording()
    guardLogger(logger, false).debug('hello')
    expect(lines).toEqual([])
  })

  test.each(LEVELS)('swallows what the logger throws at a %s line', (level) => {
    const refuse = (): never => {
      throw new Error('disk full')
    }
    const guarded = guardLogger({ debug: refuse, info: refuse, error: refuse }, true)
    expect(() => guarded[level]('hello')).not.toThrow()
  })

  test('calls the logger as a method of its object', () => {
    class Counting implements Logger {
      count = 0
      debug(): void {}
      info(): void {
        this.count += 1
      }
      error(): void {}
    }
    const logger = new Counting()
    guardLogger(logger, false).info('hello')
    expect(logger.count).toBe(1)
  })
})
