/** The page that says, for every rule, which tests show it; made from the suites themselves. */

import { ENGINE_THEMES } from '../packages/durable-execution/src/testing/conformance/engine/engine-conformance.ts'
import { STORAGE_RULES } from '../packages/durable-execution/src/testing/conformance/rules.ts'
import { storageConformanceCases } from '../packages/durable-execution/src/testing/conformance/storage-conformance.ts'

type Case = { rule: string; name: string }

export function rulesPage(): string {
  const sections = ENGINE_THEMES.map(({ title, rules, cases }) =>
    section(`The engine: ${title}`, Object.entries(rules), (id) => cases.filter(({ rule }) => rule === id)),
  )
  const storageCases = storageConformanceCases()
  // A case of the storage suite names its rule by the sentence itself.
  const storageSection = section('The storage contract', Object.entries(STORAGE_RULES), (id) =>
    storageCases.filter(({ rule }) => rule === id || rule === sentenceOf(id)),
  )
  return [
    '# Rules, and the tests that show them',
    '',
    'Made by `node scripts/rules.ts` from the conformance suites; a test fails when it is stale. Every rule of the engine is shown over',
    'memory, memory with its optional members hidden, a storage of four operations that keeps only the fields of the contract, and SQLite',
    'with both drivers; every rule of the storage contract over the same. The promises of the machine (S1 to S16) are in',
    '[ARCHITECTURE.md](../ARCHITECTURE.md), and checked after every case.',
    '',
    ...sections,
    storageSection,
  ].join('\n')
}

function sentenceOf(id: string): string {
  return (STORAGE_RULES as Record<string, string>)[id] ?? id
}

function section(
  title: string,
  rules: ReadonlyArray<[string, string]>,
  casesOf: (id: string) => ReadonlyArray<Case>,
): string {
  const rows = rules.map(([id, sentence]) => {
    const names = casesOf(id).map(({ name }) => escape(name))
    if (names.length === 0) {
      throw new Error(`The rule ${id} ("${sentence}") has no test`)
    }
    return `| \`${id}\` | ${escape(sentence)} | ${names.join('<br>')} |`
  })
  return [`## ${title}`, '', '| rule | what it says | shown by |', '|---|---|---|', ...rows, ''].join('\n')
}

function escape(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}
