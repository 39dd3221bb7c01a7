/** Claims and leases: who may run a row, and whose word about it counts. */

import { describe, expect, test } from 'vitest'

import { cancelled, claimed, completed, failed, released, renewed } from './events.test-support.ts'
import { lapsed, leaseNamed, NOW, ready, running } from './rows.test-support.ts'
import { given } from './testing-dsl.test-support.ts'

describe('claim', () => {
  test('a row that is due runs under the lease of its claim', () => {
    given(ready())
      .when(claimed({ lease: 'third' }))
      .thenIs('x', { status: 'running', leaseId: 'third', expiresAt: new Date(NOW + 30_000) })
  })

  test('a row is due at the very instant of its startAt', () => {
    given(ready({ startAt: new Date(NOW) }))
      .when(claimed())
      .thenIs('x', { status: 'running' })
  })

  test('a row is not claimed before its time', () => {
    given(ready({ startAt: new Date(NOW + 1) }))
      .when(claimed())
      .thenRefused('not_due')
  })

  test('a row that runs is not claimed', () => {
    given(running()).when(claimed()).thenRefused('not_due')
  })

  test('two claims of one row in one transaction: the first wins', () => {
    const { decision } = given(ready()).when(claimed({ lease: 'a' }), claimed({ lease: 'b' }))
    expect(decision.results).toEqual(['accepted', 'not_due'])
  })

  test('a first claim starts at the present', () => {
    given(ready())
      .when(claimed())
      .thenIs('x', { startedAt: new Date(NOW) })
  })

  test('a claim starts later than the one before, though the clock went back', () => {
    given(ready({ startedAt: new Date(NOW + 500) }))
      .when(claimed())
      .thenIs('x', { startedAt: new Date(NOW + 501) })
  })

  test('an end is never before the start, though the clock went back', () => {
    const { startedAt } = { startedAt: new Date(NOW + 500) }
    given(running({ startedAt })).when(cancelled()).thenIs('x', { finishedAt: startedAt })
  })
})

describe('lease', () => {
  test('a late outcome from an earlier lease is refused', () => {
    given(running({ lease: 'second' }))
      .when(completed({ lease: 'first' }))
      .thenRefused('stale')
  })

  test('a late error from an earlier lease is refused', () => {
    given(running({ lease: 'second' }))
      .when(failed({ lease: 'first' }))
      .thenRefused('stale')
  })

  test('a late release from an earlier lease is refused', () => {
    given(running({ lease: 'second' }))
      .when(released({ lease: 'first' }))
      .thenRefused('stale')
  })

  test("an earlier lease does not renew its successor's", () => {
    given(running({ lease: 'second' }))
      .when(renewed({ lease: 'first' }))
      .thenRefused('stale')
  })

  test('a claim of the same instant with another leaseId is another claim', () => {
    given(running({ lease: 'first', leaseId: 'other' }))
      .when(completed({ lease: 'first' }))
      .thenRefused('stale')
  })

  test('where the storage keeps no leaseId, startedAt alone is the fence', () => {
    const { leaseId: _, ...row } = running({ lease: 'first' })
    given(row)
      .when(completed({ lease: 'first' }))
      .thenIs('x', { status: 'completed' })
    given({ ...row, startedAt: leaseNamed('second').startedAt })
      .when(completed({ lease: 'first' }))
      .thenRefused('stale')
  })

  test('a renewal moves the deadline', () => {
    given(running())
      .when(renewed())
      .thenIs('x', { expiresAt: new Date(NOW + 60_000) })
  })

  test('a lease that lapsed can be renewed until somebody recovers the row', () => {
    given(lapsed())
      .when(renewed())
      .thenIs('x', { expiresAt: new Date(NOW + 60_000) })
  })
})
