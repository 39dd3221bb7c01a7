/** The command: `npm run demo:postgres -- [--letters N] [--pace MS] [--json]`. */

import { parseArgs } from 'node:util'

import { startPostgres } from '../../../scripts/postgres/server.ts'
import { runShow, type ShowResult } from './run.ts'

const USAGE = `Three processes on one Postgres send a mailing. One is killed in the middle; nothing is lost.

  npm run demo:postgres       starts a Postgres in a temporary folder, and removes it at the end
    --letters N               how many letters there are; default 800
    --pace MS                 how long each takes; default 150
    --json                    no progress bar and no table: one line of JSON at the end

With DATABASE_URL set it runs there, in a schema of its own, which it drops at the end.`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      letters: { type: 'string', default: '800' },
      pace: { type: 'string', default: '150' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return
  }
  const letters = toCount('letters', values.letters, 1)
  const paceMs = toCount('pace', values.pace, 0)
  const server = await startPostgres({ durable: true })
  try {
    const { connectionString } = server
    const result = await runShow({ connectionString, letters, paceMs, isQuiet: values.json })
    console.log(values.json ? JSON.stringify(result) : format(result))
  } finally {
    await server.stop()
  }
}

function format(result: ShowResult): string {
  const { letters, sentBy, killed, sentBeforeKill, takenOver, startedTwice, lost, seconds } = result
  const names = Object.keys(sentBy).toSorted()
  return [
    '',
    ...names.map((name) => `${name}  ${sentBy[name]} letters${name === killed ? ', then killed' : ''}`),
    '',
    `${killed} was killed after ${sentBeforeKill} letters. Of what it had begun, the others took over ${takenOver}.`,
    `${startedTwice} letters were started twice, and each was sent once.`,
    `${letters} letters in ${seconds} s, ${lost} lost.`,
  ].join('\n')
}

function toCount(name: string, text: string, least: number): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < least) {
    throw new Error(`--${name} must be a whole number, ${least} or more, got ${text}`)
  }
  return number
}

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
