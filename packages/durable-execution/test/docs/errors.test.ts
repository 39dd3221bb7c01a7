/** The guide on errors lists the messages of the sources, and only those. */

import { expect, test } from 'vitest'

import { messagesOfGuide, messagesOfSources, patternOf, sourceTexts } from './error-messages.ts'

// Messages that are made elsewhere: handed on from another error, or listed with what they begin with.
const HANDED_ON: ReadonlyArray<string> = [
  '<>: <>',
  'messageOf(thrown)',
  'error.message',
  'message',
  'messageOf(given)',
  'undefined',
  'result.issues.map(describeIssue',
  'alreadyExistsMessage(row.executionId)',
  'alreadyExistsMessage(firstTaken(driver, rows)',
  'alreadyExistsMessage(fromSqlText(taken)',
]

test('every message listed stands in the sources', () => {
  const texts = sourceTexts().map(({ text }) => text)
  const listed = messagesOfGuide()
  expect(listed.length).toBeGreaterThan(50)
  const missing = listed.filter((message) => !texts.some((text) => patternOf(message.text).test(text)))
  expect(missing).toEqual([])
})

test('every message of the sources is listed', () => {
  const listed = new Set(messagesOfGuide().map(({ text }) => text))
  const { literal } = messagesOfSources()
  expect(literal.filter(({ text }) => !listed.has(text) && !HANDED_ON.includes(text))).toEqual([])
})

test('no other message is put together where it cannot be read', () => {
  const { computed } = messagesOfSources()
  expect(computed.filter(({ text }) => !HANDED_ON.includes(text))).toEqual([])
})
