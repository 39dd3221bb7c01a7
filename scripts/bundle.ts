/**
 * Writes the JavaScript of the package: one file for each of its entries, and the pieces they share. Of 400 modules one by one Node
 * would make 400 times its loader's objects: `import 'durable-execution'` took twice as long and 16 MB more that way.
 *
 * Only what differs is written, and each file at once: another program may be importing it just now.
 */

import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { rolldown } from 'rolldown'

const PACKAGE = join(import.meta.dirname, '../packages/durable-execution')
const TARGET = join(PACKAGE, 'dist')

const files = await bundleEntries(await readEntries())
for (const [name, code] of files) {
  await writeChanged(join(TARGET, name), code)
}
// What an earlier version was made of.
for (const name of await writtenFiles()) {
  if (!files.has(name)) {
    await rm(join(TARGET, name))
  }
}

/** Each file that the package exports, below `dist` and without its ending, with its source. */
async function readEntries(): Promise<Record<string, string>> {
  const { exports } = JSON.parse(await readFile(join(PACKAGE, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { default: string }>
  }
  return Object.fromEntries(
    Object.values(exports).flatMap((target) => {
      const name = typeof target === 'string' ? undefined : /^\.\/dist\/(.+)\.js$/.exec(target.default)?.[1]
      return name === undefined ? [] : [[name, join(PACKAGE, 'src', `${name}.ts`)]]
    }),
  )
}

async function bundleEntries(input: Record<string, string>): Promise<Map<string, string>> {
  const bundle = await rolldown({
    input,
    platform: 'node',
    // Whatever is not a file of ours: Node's own modules, and the packages that ours depends on.
    external: (name) => !name.startsWith('.') && !name.startsWith('/'),
  })
  const { output } = await bundle.generate({
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'shared/[name]-[hash].js',
    // They stand in the declarations, where editors look.
    comments: false,
  })
  await bundle.close()
  return new Map(output.flatMap((file) => (file.type === 'chunk' ? [[file.fileName, file.code]] : [])))
}

async function writeChanged(path: string, code: string): Promise<void> {
  const current = await readFile(path, 'utf8').catch(() => undefined)
  if (current !== code) {
    await mkdir(dirname(path), { recursive: true })
    const unfinished = `${path}.${process.pid}`
    await writeFile(unfinished, code)
    await rename(unfinished, path)
  }
}

async function writtenFiles(): Promise<Array<string>> {
  const names = await readdir(TARGET, { recursive: true })
  return names.filter((name) => name.endsWith('.js'))
}
