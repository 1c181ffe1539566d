/** The index of millions of rows into what the rules need to know of each host: at once beside others, and after new rows. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { programs } from '../scripts/local-fleet/children.ts'
import { appendRows, endOf, hostCount } from './fold/index-file.ts'
import type { Bench } from './frame/bench.ts'
import { runCommand } from './frame/command.ts'
import type { Goal } from './frame/goal.ts'
import { npmPeer } from './frame/npm-peer.ts'
import type { Column, Contender, LeftOut } from './frame/series.ts'
import type { BenchOptions } from './options.ts'

const longestRow = 520
const newRows = 1000
/** As `packages/fleet/bin` starts the program. */
export const asLaunched = ['--min-semi-space-size=8', '--max-inlined-bytecode-size-cumulative=2000']
const duckdb = { name: 'DuckDB', packages: ['@duckdb/node-api@1.5.6-r.1'] }

interface Peers {
  readonly take: Contender[]
  readonly left_out: LeftOut[]
}

interface Index {
  readonly stateDir: string
  readonly path: string
  readonly config: string
  rows: number
}

export const fold: Bench = {
  summary: 'read a big index beside wc -l, DuckDB, and readline with JSON.parse; then 1,000 new rows',
  need: (options) => (rowsOf(options) + rowsOf(options) / 10) * longestRow,
  async *series(options, { dir }) {
    const rows = rowsOf(options)
    const big = await makeIndex(join(dir, 'big'), rows)
    const { take, left_out } = await peersOf(options, big)
    const there = new Set(take.map(({ name }) => name))
    yield {
      name: `${rows.toLocaleString('en')} rows at once`,
      contenders: [cold(big), ...take],
      left_out,
      columns,
      goals: coldGoals.filter(({ peer = '' }) => there.has(peer) || !options.quick),
      // All read from the page cache.
      beforeRound: async () => void (await runCommand('sh', ['-c', 'cat "$1" >/dev/null', 'sh', big.path])),
    }
    const small = await makeIndex(join(dir, 'small'), Math.ceil(rows / 10))
    const followed = [small, big].map((index) => ({
      index,
      name: `${newRows.toLocaleString('en')} in ${index.rows.toLocaleString('en')}`,
    }))
    for (const { index } of followed) await look(index)
    yield {
      name: `${newRows.toLocaleString('en')} new rows, in the process`,
      contenders: followed.map(({ index, name }) => tick(name, index)),
      columns: tickColumns,
      goals: followed.map(
        ({ name }): Goal => ({ what: name, ours: name, figure: 'ms', form: 'ours', limit: { at_most: 20 }, unit: 'ms' }),
      ),
    }
  },
}

function rowsOf({ rows, quick }: BenchOptions): number {
  return rows ?? (quick ? 20_000 : 10_000_000)
}

async function makeIndex(stateDir: string, rows: number): Promise<Index> {
  await makeDir(stateDir)
  const [path, config] = [join(stateDir, 'index.jsonl'), join(stateDir, 'fleet.toml')]
  await writeFile(config, `state_dir = "${stateDir}"\n`)
  appendRows(path, 0, rows)
  return { stateDir, path, config, rows }
}

/** The program itself, from its start to its end: a judgement of a moment reads the whole index. */
function cold(index: Index): Contender {
  const { config, rows } = index
  const args = ['evaluate', '--config', config, '--at', endOf(rows), '--json']
  return contender('cis490', index, programs.fleet, args, (answer) => {
    const { hosts, skipped_lines } = answer as { hosts: unknown[]; skipped_lines: number }
    return skipped_lines === 0 ? hosts.length : Number.NaN
  })
}

async function peersOf({ peers, quick }: BenchOptions, index: Index): Promise<Peers> {
  const { path } = index
  const hosts = (answer: unknown) => (answer as { hosts: number }).hosts
  const node = (name: string, file: string, ...more: string[]) =>
    contender(name, index, process.execPath, [program(`peers/${file}`), path, ...more], hosts)
  const wanted = (name: string) => peers?.includes(name) ?? true
  const take = [contender('wc -l', index, 'wc', ['-l', path], hosts), node('readline', 'readline-fold.ts')].filter(({ name }) =>
    wanted(name),
  )
  // A quick run installs nothing.
  if (peers ? !wanted(duckdb.name) : quick) return { take, left_out: [] }
  const got = await npmPeer('duckdb', duckdb.packages)
  if ('reason' in got) return { take, left_out: [{ name: duckdb.name, reason: got.reason }] }
  return { take: [...take, node(duckdb.name, 'duckdb-fold.ts', got.folder)], left_out: [] }
}

/** @param hosts out of what it printed; all have to find the same. @throws Error when it found another number */
function contender(
  name: string,
  { stateDir, rows }: Index,
  file: string,
  args: readonly string[],
  hosts: (answer: unknown) => number,
): Contender {
  return {
    name,
    async run() {
      const { seconds, cpu_s, rss, stdout } = await runCommand(file, args, compiled(stateDir))
      const found = file === 'wc' ? Number.parseInt(stdout, 10) : hosts(JSON.parse(stdout))
      const right = file === 'wc' ? rows : Math.min(rows, hostCount)
      if (found !== right) throw new Error(`found ${found}, not ${right}`)
      return { seconds, cpu_s, rows_per_s: rows / seconds, rss }
    },
  }
}

function tick(name: string, index: Index): Contender {
  return {
    name,
    async run() {
      appendRows(index.path, index.rows, index.rows + newRows)
      index.rows += newRows
      return await look(index)
    },
  }
}

async function look({ stateDir }: Index): Promise<{ ms: number; load_ms: number; rss: number }> {
  const args = [...asLaunched, program('fold/tick.ts'), stateDir]
  const { stdout, rss } = await runCommand(process.execPath, args, compiled(stateDir))
  const { ms, load_ms, hosts, skipped } = JSON.parse(stdout) as { ms: number; load_ms: number; hosts: number; skipped: number }
  if (hosts !== hostCount || skipped !== 0) throw new Error(`found ${hosts} hosts, not ${hostCount}, and skipped ${skipped} rows`)
  return { ms, load_ms, rss }
}

/** As the installed units have it, for whoever runs on Node. */
function compiled(stateDir: string): NodeJS.ProcessEnv {
  return { NODE_COMPILE_CACHE: join(stateDir, 'compiled') }
}

function program(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url))
}

const columns: readonly Column[] = [
  { figure: 'seconds', label: 'seconds', unit: 's' },
  { figure: 'rows_per_s', label: 'rows a second', unit: 'count' },
  { figure: 'cpu_s', label: 'CPU s', unit: 's' },
  { figure: 'rss', label: 'peak memory', unit: 'bytes' },
]

const tickColumns: readonly Column[] = [
  { figure: 'ms', label: 'new rows', unit: 'ms' },
  { figure: 'load_ms', label: 'saved facts', unit: 'ms' },
  { figure: 'rss', label: 'peak memory', unit: 'bytes' },
]

const coldGoals: readonly Goal[] = [
  { what: 'time of a cold fold against wc -l', peer: 'wc -l', form: 'ours/peer', limit: { at_most: 5 } },
  { what: 'speed of a cold fold against DuckDB', peer: 'DuckDB', form: 'peer/ours', limit: { at_least: 1.3 } },
  { what: 'speed of a cold fold against readline and JSON.parse', peer: 'readline', form: 'peer/ours', limit: { at_least: 8 } },
].map((goal) => ({ ...goal, ours: 'cis490', figure: 'seconds' }) as Goal)
