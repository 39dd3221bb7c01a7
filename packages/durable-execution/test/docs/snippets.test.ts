/** Every snippet of the documentation compiles under the strict settings, runs, and writes what it says. */

import { beforeAll, expect, test } from 'vitest'

import { compileSnippets, type Outcome, runSnippets } from './run-snippets.ts'
import { collectSnippets, promisedLinesOf } from './snippets.ts'

const snippets = collectSnippets()
const runnable = snippets.filter(({ isRun }) => isRun)
let complaints: Map<string, Array<string>>
let outcomes: Map<string, Outcome>

beforeAll(async () => {
  complaints = await compileSnippets(snippets)
  outcomes = await runSnippets(runnable)
}, 300_000)

test('the README has snippets', () => {
  expect(snippets.some(({ place }) => place.startsWith('README.md'))).toBe(true)
})

test.for(snippets)('the snippet compiles: $place', ({ name }) => {
  expect(complaints.get(name)).toEqual([])
})

test.for(runnable)('the snippet runs: $place', ({ name }) => {
  const { exit, output, errors } = outcomes.get(name) ?? { exit: 'never ran', output: '', errors: '' }
  expect(exit, `it wrote:\n${output}\n${errors}`).toBe(0)
})

test.for(runnable)('the snippet writes what it says: $place', (snippet) => {
  const promised = promisedLinesOf(snippet)
  const output = outcomes.get(snippet.name)?.output ?? ''
  const written = output.split('\n').map((line) => line.trim())
  expect(inOrder(promised, written), `it wrote:\n${output}`).toEqual(promised)
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
