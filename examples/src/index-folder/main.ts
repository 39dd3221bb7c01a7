/** The command: `npm run demo -- [folder] [--out DIR] [--pace MS] [--fresh] [--json]`. */

import { rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

import { indexFolder } from './run.ts'

const USAGE = `Indexes the text files of a folder, durably: kill it at any moment (kill -9 ${process.pid}) and start it again.

  npm run demo -- [folder]    the folder; default: the node_modules that the install brought
    --out DIR                 where state.db and report.json are kept; default .demo in the checkout
    --pace MS                 how much longer each file takes, so that there is something to see; default 150
    --fresh                   forget what an earlier process began
    --json                    no progress bar and no table: one line of JSON at the end`

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: 'string' },
      pace: { type: 'string', default: '150' },
      fresh: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return
  }
  // npm runs a script in the folder of its package.json, and says where it was called.
  const calledFrom = process.env['INIT_CWD'] ?? process.cwd()
  const checkout = join(import.meta.dirname, '../../..')
  const root = resolve(calledFrom, positionals[0] ?? join(checkout, 'node_modules'))
  const outFolder = resolve(calledFrom, values.out ?? join(checkout, '.demo'))
  const paceMs = Number(values.pace)
  if (!(await stat(root).catch(() => undefined))?.isDirectory()) {
    throw new Error(`${root} is no folder`)
  }
  if (!Number.isInteger(paceMs) || paceMs < 0) {
    throw new Error(`--pace must be a whole number of milliseconds, got ${values.pace}`)
  }
  if (values.fresh) {
    // Only what this program made: the folder may hold other things.
    for (const name of ['state.db', 'state.db-wal', 'state.db-shm', 'report.json']) {
      await rm(join(outFolder, name), { force: true })
    }
  }
  if (!values.json) {
    console.log(`Indexing ${root}. To see it survive: kill -9 ${process.pid} and start it again.`)
  }
  const result = await indexFolder({ root, outFolder, paceMs, isJson: values.json })
  if (values.json) {
    console.log(JSON.stringify(result))
    return
  }
  const { files, kept, retried, reportPath } = result
  console.log(`${files} files, ${kept} kept from before, ${retried} retried. Report: ${reportPath}`)
}

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
