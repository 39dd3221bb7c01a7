import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import buildPackage from '../../scripts/build-for-tests.ts'

const ROOT = join(import.meta.dirname, '../..')
const MAIN = 'bench/src/main.ts'
const FLAGS = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning']

let folder: string

beforeAll(async () => {
  buildPackage()
  folder = await mkdtemp(join(tmpdir(), 'bench-command-'))
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

test('the command measures, prints its tables, and writes the figures and the plots', async () => {
  const json = join(folder, 'results.json')
  const { code, stdout, stderr } = await bench(
    '--engines ours:memory,ours:sqlite --tests throughput,latency --tasks 200 --warm 0 --runs 1',
    '--json',
    json,
    '--plots',
    folder,
  )
  expect({ code, failed: stdout.includes('### Failed') }, stderr).toEqual({ code: 0, failed: false })
  expect(stdout).toContain('### Throughput, cold: 200 no-op tasks in a fresh process')
  expect(stdout).toMatch(/^\| ours:memory +\| +[\d,]+ \| +[\d,]+ \|/m)
  expect(stdout).toMatch(/^\| limit: node:sqlite alone +\| +[\d,]+ \| +[\d,]+ \|/m)

  const results = JSON.parse(await readFile(json, 'utf8')) as Array<{ metrics: object }>
  expect(results.map(({ metrics: _metrics, ...rest }) => rest)).toEqual([
    { engine: 'ours:memory', test: 'throughput', run: 1 },
    { engine: 'ours:sqlite', test: 'throughput', run: 1 },
    { engine: 'ours:memory', test: 'latency', run: 1 },
    { engine: 'ours:sqlite', test: 'latency', run: 1 },
  ])
  const [memory, sqlite, memoryLatency, sqliteLatency] = results.map(({ metrics }) => metrics)
  const throughput = ['tasks', 'enqueuePerSec', 'processPerSec', 'nodeMicrosPerTask', 'rssMb']
  expectFigures(memory, throughput)
  expectFigures(sqlite, [...throughput, 'limitEnqueuePerSec', 'limitProcessPerSec'])
  expectFigures(memoryLatency, ['p50Ms', 'p95Ms'])
  expectFigures(sqliteLatency, ['p50Ms', 'p95Ms', 'twoCommitsP50Ms'])
  expect((await readdir(folder)).toSorted()).toEqual(['latency.svg', 'results.json', 'throughput.svg'])
})

test('all other tests end too, warmed up, with cold figures beside the warm ones', async () => {
  const json = join(folder, 'more.json')
  const { code, stdout, stderr } = await bench(
    '--engines ours:memory --tests all --growth chain --tasks 5 --warm 5 --runs 1 --idle-seconds 1',
    '--json',
    json,
    '--plots',
    folder,
  )
  expect(code, stderr).toBe(0)
  expect(stdout).toMatch(/^\| engine .*\| cold: enqueue \/s \| cold: process \/s \|/m)
  const results = JSON.parse(await readFile(json, 'utf8')) as Array<{ test: string; metrics: object }>
  const metrics = Object.fromEntries(results.map((result) => [result.test, result.metrics]))
  expectFigures(metrics['throughput'], ['processPerSec', 'coldTasks', 'coldProcessPerSec', 'coldRssMb'])
  expectFigures(metrics['steps'], ['workflowsPerSec', 'oneStepWorkflowsPerSec', 'nodeMicrosPerWorkflow'])
  expectFigures(metrics['fanout'], ['seconds', 'rssMb'])
  expectFigures(metrics['idle'], ['idleTxPerSec', 'idleNodeCpuPercent'])
  expectFigures(metrics['growth'], ['levels900BaseMicros', 'levels900Micros', 'levels900Ratio'])
})

test('an idle engine on SQLite asks whether something changed, and nothing else', async () => {
  const json = join(folder, 'idle.json')
  const { code, stderr } = await bench(
    '--engines ours:sqlite --tests idle --idle-seconds 1',
    '--json',
    json,
    '--plots',
    folder,
  )
  expect(code, stderr).toBe(0)
  const [result] = JSON.parse(await readFile(json, 'utf8')) as Array<{ metrics: Record<string, number> }>
  expect(result?.metrics).toMatchObject({ idleTxPerSec: 0, idleStatementsPerMinute: 0 })
  expect(result?.metrics['idleChangeChecksPerMinute']).toBeGreaterThan(0)
})

test('an unknown engine is refused with the names there are, before anything is run', async () => {
  const { code, stdout, stderr } = await bench('--engines ours:mysql')
  expect(code).toBe(1)
  expect(stdout).toBe('')
  expect(stderr).toContain("--engines: there is no 'ours:mysql'; choose among ours:memory, ours:sqlite")
})

test('npm run bench is this command', async () => {
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  expect(scripts['bench']).toContain([...FLAGS, MAIN].join(' '))
})

test('the peers are no business of the workspaces, and have a lock file that pins each one', async () => {
  const read = async (path: string): Promise<{ workspaces?: Array<string>; dependencies?: object }> =>
    JSON.parse(await readFile(join(ROOT, path), 'utf8')) as object
  expect((await read('package.json')).workspaces).not.toContain('bench/*')
  const versions = Object.values((await read('bench/peers/package.json')).dependencies ?? {})
  expect(versions.length).toBeGreaterThanOrEqual(6)
  expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(String(version)))).toEqual([])
  expect(await readdir(join(ROOT, 'bench/peers'))).toContain('package-lock.json')
})

type Ended = { code: number; stdout: string; stderr: string }

function bench(words: string, ...more: Array<string>): Promise<Ended> {
  const args = [...FLAGS, MAIN, ...words.split(' '), ...more]
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: ROOT, encoding: 'utf8' }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

function expectFigures(metrics: object | undefined, names: Array<string>): void {
  for (const name of names) {
    const value = (metrics as Record<string, unknown> | undefined)?.[name]
    expect(value, name).toBeTypeOf('number')
    expect(value, name).toBeGreaterThanOrEqual(0)
  }
}
