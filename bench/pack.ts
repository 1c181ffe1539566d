/** An episode's folder into a synced archive with its hash, beside tar, zstd and openssl in a pipeline. */
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDir, replaceFile } from '@cis490/shared/node/durable.ts'
import { formatSize } from '@cis490/shared/size.ts'
import { programs } from '../scripts/local-fleet/children.ts'
import type { Bench } from './frame/bench.ts'
import { runCommand } from './frame/command.ts'
import type { Goal } from './frame/goal.ts'
import { missingProgram } from './frame/installed.ts'
import type { Column, Contender, LeftOut, Series } from './frame/series.ts'
import { makeManyFiles } from './many-files.ts'
import type { BenchOptions } from './options.ts'

const id = 'bench-pack'
const gib = 2 ** 30
const pipeline = 'tar | zstd -3 -T2 | tee | openssl'

interface Load {
  readonly name: string
  readonly files: number
  readonly bytes: number
  readonly judged: boolean
}

export const pack: Bench = {
  summary: 'pack and hash an episode, beside tar | zstd -3 -T2 | tee | openssl dgst; peak memory as it grows',
  need: (options) => Math.max(...sweep(options), sizeOf(options)) * 4 + (256 << 20),
  async *series(options, { dir }) {
    const reason = missingProgram(['tar', 'zstd', 'tee', 'openssl', 'sync'], 'apt-get install zstd openssl')
    const left_out: LeftOut[] = reason === undefined ? [] : [{ name: pipeline, reason }]
    for (const load of loadsOf(options)) {
      const home = await makeHome(join(dir, `${load.files}`), load.files, load.bytes)
      yield {
        name: load.name,
        contenders: [ours('cis490', home, load.bytes), ...(reason === undefined ? [peer(home, load.bytes)] : [])],
        left_out,
        columns,
        goals: load.judged ? goals : [],
        beforeRound: () => warm(home),
      } satisfies Series
      await rm(home, { recursive: true })
    }
    const homes = new Map<string, string>()
    for (const bytes of sweep(options)) homes.set(formatSize(bytes), await makeHome(join(dir, `sweep-${bytes}`), 200, bytes))
    yield {
      name: 'peak memory of the agent as an episode grows',
      contenders: sweep(options).map((bytes) => ours(formatSize(bytes), homes.get(formatSize(bytes)) ?? '', bytes)),
      columns,
      goals: memoryGoals([...homes.keys()]),
    }
  },
}

function sizeOf({ size, quick }: BenchOptions): number {
  return size ?? (quick ? 4 << 20 : gib)
}

function sweep({ quick }: BenchOptions): number[] {
  return quick ? [1 << 20, 2 << 20] : [64 << 20, gib, 4 * gib]
}

function loadsOf(options: BenchOptions): Load[] {
  const bytes = sizeOf(options)
  const small = options.quick ? 500 : 100_000
  return [
    { name: `${formatSize(bytes)} in 200 files`, files: 200, bytes, judged: true },
    { name: `${small} files of 600 bytes`, files: small, bytes: small * 600, judged: false },
  ]
}

async function makeHome(dir: string, files: number, bytes: number): Promise<string> {
  const [episodes, outbox, state] = ['episodes', 'outbox', 'state'].map((name) => join(dir, name)) as [string, string, string]
  await makeDir(episodes)
  makeManyFiles(episodes, id, files, bytes)
  await replaceFile(
    join(dir, 'lab-host.toml'),
    `[host]\nname = "bench-host"\n[receiver]\nurl = "http://127.0.0.1:1"\n[paths]\nepisodes = "${episodes}"\noutbox = "${outbox}"\nstate = "${state}"\n`,
  )
  await runCommand('sync', ['-f', episodes])
  return dir
}

/** Both read from the page cache. */
async function warm(home: string): Promise<void> {
  await runCommand('sh', ['-c', 'find "$1" -type f -exec cat {} + >/dev/null', 'sh', join(home, 'episodes')])
}

function ours(name: string, home: string, bytes: number): Contender {
  const archive = join(home, 'outbox', `${id}.tar.zst`)
  return measured(name, archive, bytes, async () => {
    // The entry alone: the room that the agent reserves for itself is made once.
    for (const file of [archive, join(home, 'outbox', `${id}.json`)]) await rm(file, { force: true })
    return await runCommand(programs.agent, ['scan', '--config', join(home, 'lab-host.toml')])
  })
}

function peer(home: string, bytes: number): Contender {
  const archive = join(home, 'peer.tar.zst')
  const script = 'tar -C "$1" -cf - "$2" | zstd -q -3 -T2 -c | tee "$3" | openssl dgst -sha256 && sync "$3"'
  return measured(pipeline, archive, bytes, async () => {
    await rm(archive, { force: true })
    return await runCommand('sh', ['-c', script, 'sh', join(home, 'episodes'), id, archive])
  })
}

function measured(name: string, archive: string, bytes: number, run: () => ReturnType<typeof runCommand>): Contender {
  return {
    name,
    async run() {
      const { seconds, cpu_s, rss } = await run()
      const { size } = await stat(archive)
      return { seconds, mb_per_s: bytes / 1e6 / seconds, cpu_per_gib: (cpu_s * gib) / bytes, rss, size }
    },
  }
}

const columns: readonly Column[] = [
  { figure: 'seconds', label: 'seconds', unit: 's' },
  { figure: 'mb_per_s', label: 'MB/s', unit: 'count' },
  { figure: 'cpu_per_gib', label: 'CPU s/GiB', unit: 's' },
  { figure: 'rss', label: 'peak memory', unit: 'bytes' },
  { figure: 'size', label: 'archive', unit: 'bytes' },
]

const against = { ours: 'cis490', peer: pipeline } as const

const goals: readonly Goal[] = [
  { ...against, what: `speed against ${pipeline}`, figure: 'seconds', form: 'peer/ours', limit: { at_least: 1.15 } },
  { ...against, what: 'size of the archive against theirs', figure: 'size', form: 'ours/peer', limit: { at_most: 1.01 } },
  { what: 'peak memory of the agent', ours: 'cis490', figure: 'rss', form: 'ours', limit: { at_most: 192 << 20 }, unit: 'bytes' },
]

function memoryGoals(sizes: readonly string[]): Goal[] {
  const [small = '', big = ''] = [sizes[0], sizes.at(-1)]
  return [
    { what: 'peak memory of the agent', ours: big, figure: 'rss', form: 'ours', limit: { at_most: 192 << 20 }, unit: 'bytes' },
    {
      what: `growth of the agent, ${small} to ${big}`,
      ...{ ours: big, peer: small, figure: 'rss', form: 'ours-peer', limit: { at_most: 8 << 20 }, unit: 'bytes' },
    },
  ]
}
