/** Every snippet of the documentation compiles under the strict settings, runs, and writes what it says. */

import { beforeAll, describe, expect, test } from 'vitest'

import { compileSnippets, runSnippet } from './run-snippets.ts'
import { collectSnippets, promisedLinesOf } from './snippets.ts'

const snippets = collectSnippets()
let complaints: Map<string, Array<string>>

beforeAll(async () => {
  complaints = await compileSnippets(snippets)
}, 120_000)

test('the documentation has snippets', () => {
  expect(snippets.some(({ place }) => place.startsWith('README.md'))).toBe(true)
})

describe.concurrent('a snippet', () => {
  test.for(snippets)('compiles: $place', ({ name }) => {
    expect(complaints.get(name)).toEqual([])
  })

  test.for(snippets.filter(({ isRun }) => isRun))(
    'runs, and writes what it says: $place',
    { timeout: 60_000 },
    async (snippet) => {
      const { exit, output, errors } = await runSnippet(snippet)
      expect(exit, `${snippet.place} ended with ${exit}:\n${output}\n${errors}`).toBe(0)
      const promised = promisedLinesOf(snippet)
      const written = output.split('\n').map((line) => line.trim())
      expect(inOrder(promised, written), `${snippet.place} wrote:\n${output}`).toEqual(promised)
    },
  )
})

/** Those of the promised lines that were written, in the order of the promise. */
function inOrder(promised: ReadonlyArray<string>, written: ReadonlyArray<string>): Array<string> {
  const found: Array<string> = []
  let from = 0
  for (const line of promised) {
    const at = written.indexOf(line, from)
    if (at >= 0) {
      found.push(line)
      from = at + 1
    }
  }
  return found
}
