import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { mergeSorted } from './merge-sorted.ts'
import { createSortedList, type Cursor, type SortedList } from './sorted-list.ts'

const ascending = (left: number, right: number): number => left - right

function itemsFrom<T>(cursor: Cursor<T>): Array<T> {
  const items: Array<T> = []
  for (let item = cursor.current(); item !== undefined; item = cursor.current()) {
    items.push(item)
    cursor.advance()
  }
  return items
}

function listOf(numbers: Iterable<number>): SortedList<number> {
  const list = createSortedList(ascending)
  for (const number of numbers) {
    list.add(number)
  }
  return list
}

test('a list holds what was added and not removed, in order, whatever the history', () => {
  const step = fc.record({ isAdd: fc.boolean(), number: fc.integer({ min: 0, max: 60 }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const list = createSortedList(ascending)
      const model = new Set<number>()
      for (const { isAdd, number } of steps) {
        if (!isAdd) {
          list.remove(number)
          model.delete(number)
        } else if (!model.has(number)) {
          list.add(number)
          model.add(number)
        }
        expect(list.size()).toBe(model.size)
      }
      expect(itemsFrom(list.begin())).toEqual([...model].toSorted(ascending))
    }),
  )
})

test('a list of many chunks, filled and emptied in any order, agrees with a sorted array', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9_999 }), fc.integer({ min: 1, max: 9_999 }), (add, drop) => {
      // Steps that share no factor with the length visit every number once.
      const length = 10_007
      const model = new Set(Array.from({ length }, (_, index) => (index * add) % length))
      const list = listOf(model)
      for (let index = 0; index < length * 0.9; index += 1) {
        const number = (index * drop) % length
        list.remove(number)
        model.delete(number)
      }
      expect(itemsFrom(list.begin())).toEqual([...model].toSorted(ascending))
    }),
    { numRuns: 5 },
  )
})

test('a list that grew at its end and was emptied from its front is as good as new', () => {
  const list = listOf(Array.from({ length: 5_000 }, (_, index) => index))
  for (let index = 0; index < 5_000; index += 1) {
    list.remove(index)
  }
  list.add(7)
  expect([list.size(), itemsFrom(list.begin())]).toEqual([1, [7]])
})

test('removing what is not there changes nothing', () => {
  const list = listOf([1, 3, 5])
  for (const absent of [0, 2, 6]) {
    list.remove(absent)
  }
  expect(itemsFrom(list.begin())).toEqual([1, 3, 5])
})

test('sorted sequences are walked as one in their common order', () => {
  fc.assert(
    fc.property(fc.array(fc.uniqueArray(fc.integer(), { maxLength: 30 }), { maxLength: 8 }), (lists) => {
      const merged = itemsFrom(
        mergeSorted(
          lists.map((numbers) => listOf(numbers).begin()),
          ascending,
        ),
      )
      expect(merged).toEqual(lists.flat().toSorted(ascending))
    }),
  )
})

test('a merge of nothing is at its end, and stays there', () => {
  const cursor = mergeSorted<number>([], ascending)
  cursor.advance()
  expect(cursor.current()).toBeUndefined()
})
