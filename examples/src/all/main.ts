/** The command: `npm run examples -- [name …] [--seed N] [--kills N]`. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const NAMES = ['order', 'approval', 'nightly-import', 'agent']

const USAGE = `Plays programs of durable code, kills their processes at random moments and starts them again, and checks how they end.

  npm run examples              all of them, with a line for each; exit code 1 if one ends wrong
  npm run examples -- order     that one, and what happens in it; others are ${NAMES.slice(1).join(', ')}
    --seed N                    the same kills again; each line says its seed
    --kills N                   how often a process is killed; default 4`

// Most of their time they wait for the leases of the dead, so two share the machine well.
const SIDE_BY_SIDE = 2

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string' },
      kills: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return
  }
  const unknown = positionals.find((name) => !NAMES.includes(name))
  if (unknown !== undefined) {
    throw new Error(`There is no example ${unknown}; there are ${NAMES.join(', ')}`)
  }
  const names = positionals.length > 0 ? positionals : NAMES
  const options = Object.entries({ seed: values.seed, kills: values.kills }).flatMap(([option, value]) =>
    value === undefined ? [] : [`--${option}`, value],
  )
  const waiting = names.values()
  const playNext = async (): Promise<void> => {
    // All take from the one list.
    for (const name of waiting) {
      const isRight = await play(name, names.length === 1 ? options : [...options, '--quiet'])
      process.exitCode = isRight ? process.exitCode : 1
    }
  }
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, playNext))
}

/** Plays one as a process of its own; says whether it ended right. */
async function play(name: string, options: ReadonlyArray<string>): Promise<boolean> {
  const file = join(import.meta.dirname, '..', name, 'main.ts')
  const child = spawn(process.execPath, [...process.execArgv, file, ...options], { stdio: 'inherit' })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code === 0
}

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
