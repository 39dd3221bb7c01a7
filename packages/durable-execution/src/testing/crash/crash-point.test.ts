/** Which places a process can die at. */

import { expect, test } from 'vitest'

import { type Passed, pointsOf } from './crash-point.ts'

const call = (index: number, ...operations: Array<string>): Passed => ({ kind: 'storage', index, operations })

test('a call that writes has three places, an effect two, and the insert only what was promised', () => {
  const points = pointsOf([
    call(4, 'getTaskExecutions'),
    call(5, 'insertTaskExecutions'),
    { kind: 'effect', index: 1, name: 'charged' },
    call(6, 'lockTaskExecutions', 'updateTaskExecutionsBatch'),
  ])
  expect(points.map(({ name }) => name)).toEqual([
    'storage:1:reply',
    'effect:1:before',
    'effect:1:after',
    'storage:2:before',
    'storage:2:commit',
    'storage:2:reply',
  ])
  expect(
    points.map(({ place }) => place.index),
    'counted from the beginning of the process',
  ).toEqual([5, 1, 1, 6, 6, 6])
  expect(points.map(({ description }) => description).slice(2, 5)).toEqual([
    'after effect 1, "charged"',
    'before storage call 2 (lockTaskExecutions, updateTaskExecutionsBatch)',
    'at the end of, and before the commit of, storage call 2 (lockTaskExecutions, updateTaskExecutionsBatch)',
  ])
})

test('calls that only read have one place for all that lies between two changes', () => {
  const points = pointsOf([
    call(1, 'insertTaskExecutions'),
    call(2, 'getTaskExecutionIds'),
    call(3, 'getTaskExecutions'),
    { kind: 'effect', index: 1, name: 'charged' },
    call(4, 'getTaskExecutionIds'),
    call(5, 'getTaskExecutionIds'),
  ])
  expect(points.map(({ name }) => name)).toEqual([
    'storage:1:reply',
    'storage:2:before',
    'effect:1:before',
    'effect:1:after',
    'storage:4:before',
  ])
})
