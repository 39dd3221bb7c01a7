/** Runs Stryker over the rules. It is no dependency of the repository: it is installed beside it, where git does not look. */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const HOME = join(ROOT, '.mutation')
const STRYKER = join(HOME, 'node_modules/@stryker-mutator/core')
const REPORT = join(HOME, 'report.json')
const VERSION = '10.1.1'

/** Where the rules are; all files are changed but the tests and what supports them. */
const RULES = 'packages/durable-execution/src/machine'

/** One small change of one file, and what became of it. */
export type Mutant = {
  file: string
  line: number
  /** The whole first line of what is changed, then what is changed (of more than one line, the first), and into what. */
  at: string
  from: string
  to: string
  status: string
}

type Position = { line: number; column: number }
type Report = {
  files: Record<
    string,
    {
      source: string
      mutants: ReadonlyArray<{
        replacement?: string
        status: string
        location: { start: Position; end: Position }
      }>
    }
  >
}

/** Changes the named files, or all, and answers what the tests said to each change. */
export function mutate(files: ReadonlyArray<string>): Array<Mutant> {
  install()
  const settings = join(HOME, 'settings.json')
  writeFileSync(settings, JSON.stringify(settingsFor(files)))
  run(process.execPath, [join(STRYKER, 'bin/stryker.js'), 'run', settings])
  const report = JSON.parse(readFileSync(REPORT, 'utf8')) as Report
  return Object.entries(report.files).flatMap(([path, { source, mutants }]) =>
    mutants.map((mutant) => ({
      ...placeOf(source, mutant.location),
      file: relative(RULES, path),
      to: oneLine(mutant.replacement ?? ''),
      status: mutant.status,
    })),
  )
}

function install(): void {
  const manifest = join(STRYKER, 'package.json')
  if (existsSync(manifest) && readFileSync(manifest, 'utf8').includes(`"version": "${VERSION}"`)) {
    return
  }
  mkdirSync(HOME, { recursive: true })
  const packages = ['core', 'vitest-runner'].map((name) => `@stryker-mutator/${name}@${VERSION}`)
  // Without its peers: the runner is to find the Vitest of the repository, one folder up.
  const options = [
    '--prefix',
    HOME,
    '--legacy-peer-deps',
    '--no-save',
    '--no-package-lock',
    '--no-audit',
    '--no-fund',
  ]
  run('npm', ['install', ...options, ...packages])
}

function settingsFor(files: ReadonlyArray<string>): object {
  const patterns = files.length === 0 ? [`${RULES}/*.ts`] : files.map((file) => `${RULES}/${file}`)
  return {
    testRunner: 'vitest',
    plugins: ['@stryker-mutator/vitest-runner'],
    vitest: { configFile: 'vitest.mutation.config.ts', related: false },
    mutate: [...patterns, '!**/*.test.ts', '!**/*.test-support.ts'],
    // Stryker would rewrite it, with a compiler that TypeScript 7 does not have any more.
    tsconfigFile: 'none.json',
    ignorePatterns: ['.mutation'],
    tempDirName: '.mutation/sandbox',
    concurrency: 1,
    // Only a loop without an end is to run into it, not a busy machine.
    timeoutMS: 30_000,
    reporters: ['progress-append-only', 'json', 'html'],
    jsonReporter: { fileName: relative(ROOT, REPORT) },
    htmlReporter: { fileName: '.mutation/report.html' },
  }
}

function run(command: string, args: ReadonlyArray<string>): void {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit' })
  if (error !== undefined || status !== 0) {
    throw new Error(`${command} ${args.join(' ')} ended with ${status}`, { cause: error })
  }
}

function placeOf(
  source: string,
  { start, end }: { start: Position; end: Position },
): Pick<Mutant, 'line' | 'at' | 'from'> {
  const line = source.split('\n')[start.line - 1] ?? ''
  const isOneLine = start.line === end.line
  const from = line.slice(start.column - 1, isOneLine ? end.column - 1 : undefined)
  return { line: start.line, at: line.trim(), from: isOneLine ? oneLine(from) : `${oneLine(from)} …` }
}

/** So that the form of the code does not matter. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
