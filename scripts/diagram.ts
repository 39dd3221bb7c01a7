/**
 * Draws docs/state-diagram.md from the table of transitions; `--check` only says whether the file is
 * as it would be drawn.
 */

import { readFileSync, writeFileSync } from 'node:fs'

import { type EventKind } from '../packages/durable-execution/src/machine/event.ts'
import { ACTIVE_STATUSES, FINISHED_STATUSES } from '../packages/durable-execution/src/machine/status.ts'
import { TRANSITIONS } from '../packages/durable-execution/src/machine/table.ts'

const file = new URL('../docs/state-diagram.md', import.meta.url)
const page = drawPage()

if (!process.argv.includes('--check')) {
  writeFileSync(file, page)
} else if (readPage() !== page) {
  console.error('docs/state-diagram.md is stale: run `npm run diagram` and commit what it writes.')
  process.exitCode = 1
}

function readPage(): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function drawPage(): string {
  return `# The states of an execution

<!-- Drawn by \`node scripts/diagram.ts\` from packages/durable-execution/src/machine/table.ts. Do not edit. -->

Every arrow is an event that the rules accept; whatever is not drawn is refused and changes nothing.
A finished execution never moves again: later news of its children are noted in it, and then it is
closed. \`cancelled\` by a user and \`parent_ended\` lead from each active status to \`cancelled\`.

\`\`\`mermaid
stateDiagram-v2
  [*] --> ready
${drawArrows().join('\n')}
\`\`\`
`
}

/** One arrow for each pair of statuses, with all the events that lead along it. */
function drawArrows(): Array<string> {
  const arrows = ACTIVE_STATUSES.flatMap((from) => {
    const eventsTo = new Map<string, Array<string>>()
    for (const event of Object.keys(TRANSITIONS[from]) as Array<EventKind>) {
      const cell = TRANSITIONS[from][event]
      for (const to of 'to' in cell ? cell.to : []) {
        eventsTo.set(to, [...(eventsTo.get(to) ?? []), event])
      }
    }
    return [...eventsTo].map(([to, events]) => `  ${from} --> ${to}: ${events.join(', ')}`)
  })
  return [...arrows, ...FINISHED_STATUSES.map((status) => `  ${status} --> [*]`)]
}
