/** The command: `npm run demo -- [folder] [--out DIR] [--pace MS] [--fresh] [--json]`. */

import { rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

import { indexFolder } from './run.ts'

const USAGE = `Indexes the text files of a folder, durably: kill it at any moment (kill -9 ${process.pid}) and start it again.

  npm run demo -- [folder]    the folder; default: the node_modules that the install brought
    --out DIR                 where state.db and report.json are kept; default .demo
    --pace MS                 how much longer each file takes, so that there is something to see; default 150
    --fresh                   forget what an earlier process began
    --json                    no progress bar and no table: one line of JSON at the end`

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: 'string', default: '.demo' },
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
  const root = resolve(positionals[0] ?? join(import.meta.dirname, '../../../node_modules'))
  const outFolder = resolve(values.out)
  const paceMs = Number(values.pace)
  if (!(await stat(root).catch(() => undefined))?.isDirectory()) {
    throw new Error(`${root} is no folder`)
  }
  if (!Number.isInteger(paceMs) || paceMs < 0) {
    throw new Error(`--pace must be a whole number of milliseconds, got ${values.pace}`)
  }
  if (values.fresh) {
    await rm(outFolder, { recursive: true, force: true })
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
