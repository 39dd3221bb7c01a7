import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { ChurningMap } from './churning-map.ts'

test('it is a map, whatever comes and goes', () => {
  const command = fc.record({ key: fc.nat(40), value: fc.option(fc.nat(), { nil: undefined }) })
  fc.assert(
    fc.property(fc.array(command, { maxLength: 1_000, size: 'max' }), (commands) => {
      const map = new ChurningMap<number, number>()
      const model = new Map<number, number>()
      for (const { key, value } of commands) {
        if (value === undefined) {
          expect(map.delete(key)).toBe(model.delete(key))
        } else {
          map.set(key, value)
          model.set(key, value)
        }
        expect(map.get(key)).toBe(model.get(key))
        expect(map.size).toBe(model.size)
      }
      expect(map.values()).toEqual([...model.values()])
    }),
    { numRuns: 30 },
  )
})
