/** Compiles all snippets at once, with the sources that they import, and runs each in a process of its own. */

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { packageEntries } from '../../../../scripts/package-entries.ts'
import { PACKAGE, ROOT } from './places.ts'
import { moduleOf, placeOfLine, type Snippet } from './snippets.ts'

// Here the sources are compiled too: what is in `dist` may be older, or in the making.
const FOLDER = join(import.meta.dirname, '.generated')
// The longest takes three seconds by itself; a machine that is busy with other tests may need many times that.
const LONGEST_RUN_MS = 30_000

/** How a process ended. */
export type Outcome = { exit: number | string; output: string; errors: string }

/** Writes every snippet as a module and compiles them; gives the compiler's complaints by the snippet's name. */
export async function compileSnippets(snippets: ReadonlyArray<Snippet>): Promise<Map<string, Array<string>>> {
  await rm(FOLDER, { recursive: true, force: true })
  await mkdir(FOLDER, { recursive: true })
  for (const snippet of snippets) {
    await writeFile(join(FOLDER, `${snippet.name}.ts`), moduleOf(snippet))
  }
  await writeFile(join(FOLDER, 'tsconfig.json'), JSON.stringify(compilerSettings(snippets)))
  await writeFile(join(FOLDER, 'package.json'), JSON.stringify(packageOfSources()))
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
  const compiler = [join(typescript, 'bin/tsc'), '-p', FOLDER, '--pretty', 'false']
  return complaintsBySnippet(snippets, await run(compiler, FOLDER, 120_000))
}

function compilerSettings(snippets: ReadonlyArray<Snippet>): object {
  const paths = packageEntries().map(({ entry, name }) => [
    entry.replace(/^\./, 'durable-execution'),
    [join(PACKAGE, 'src', `${name}.ts`)],
  ])
  return {
    extends: join(ROOT, 'tsconfig.base.json'),
    compilerOptions: {
      rootDir: PACKAGE,
      outDir: 'out',
      declaration: false,
      isolatedDeclarations: false,
      // A snippet names what it shows and need not use it.
      noUnusedLocals: false,
      paths: Object.fromEntries(paths) as object,
    },
    files: snippets.map(({ name }) => `${name}.ts`),
  }
}

/** A package of the same name and entries, so that what the snippets import is what was compiled with them. */
function packageOfSources(): object {
  const exports = packageEntries().map(({ entry, name }) => [entry, `./out/src/${name}.js`])
  return { name: 'durable-execution', type: 'module', exports: Object.fromEntries(exports) as object }
}

/** Runs compiled snippets, as many at once as there are processors; gives how each ended by its name. */
export async function runSnippets(snippets: ReadonlyArray<Snippet>): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>()
  const waiting = snippets.values()
  const runNext = async (): Promise<void> => {
    // All of them take from the one list.
    for (const snippet of waiting) {
      outcomes.set(snippet.name, await runSnippet(snippet))
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, runNext))
  return outcomes
}

/** Runs it in a new empty folder; its process must end by itself. */
async function runSnippet({ name }: Snippet): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'durable-execution-snippet-'))
  try {
    const flags = ['--disable-warning=ExperimentalWarning', '--unhandled-rejections=strict']
    return await run(
      [...flags, join(FOLDER, 'out/test/docs/.generated', `${name}.js`)],
      folder,
      LONGEST_RUN_MS,
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function complaintsBySnippet(
  snippets: ReadonlyArray<Snippet>,
  { output, errors }: Outcome,
): Map<string, Array<string>> {
  const byName = new Map(snippets.map((snippet) => [snippet.name, snippet]))
  const complaints = new Map<string, Array<string>>(snippets.map(({ name }) => [name, []]))
  for (const [, file = '', line = '', message = ''] of output.matchAll(/^(.+)\.ts\((\d+),\d+\): (.*)$/gm)) {
    const snippet = byName.get(file.split(/[/\\]/).at(-1) ?? '')
    if (snippet !== undefined) {
      complaints.get(snippet.name)?.push(`${placeOfLine(snippet, Number(line))}: ${message}`)
    }
  }
  // What it says of the sources is the business of the check of types; what names no file stopped it.
  if (errors !== '' || /^error /m.test(output)) {
    throw new Error(`The compiler did not run: ${output}${errors}`)
  }
  return complaints
}

async function run(args: Array<string>, cwd: string, timeoutMs: number): Promise<Outcome> {
  return await new Promise((resolve) => {
    const options = { cwd, timeout: timeoutMs, killSignal: 'SIGKILL' as const, maxBuffer: 64 * 1024 * 1024 }
    execFile(process.execPath, args, options, (error, output, errors) => {
      const isLate = error?.killed === true
      const exit =
        error === null ? 0 : isLate ? `still alive after ${timeoutMs} ms` : (error.code ?? 'killed')
      resolve({ exit, output, errors })
    })
  })
}
