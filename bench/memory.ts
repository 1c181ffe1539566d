/** One big episode, packed and shipped over mutual TLS by the real agent to the real receiver: how much memory does each take? */
import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { UserError } from '@cis490/shared/node/cli.ts'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { formatSize } from '@cis490/shared/size.ts'
import { makeCertificates } from '../scripts/local-fleet/certificates.ts'
import { Children, checkout, programs } from '../scripts/local-fleet/children.ts'
import { writeAgentConfig, writeReceiverConfig } from '../scripts/local-fleet/configs.ts'
import { findHistory } from '../scripts/local-fleet/history.ts'
import { startReceiver } from '../scripts/local-fleet/listening.ts'
import { makeBigEpisode } from './big-episode.ts'
import type { BenchOptions } from './options.ts'
import { measurePeak } from './peak-memory.ts'

const limit = 200 * 1024 * 1024
const host = 'bench-host'

interface MemoryResult {
  readonly benchmark: 'memory'
  readonly episode_bytes: number
  readonly seconds: number
  readonly limit_bytes: number
  readonly peak_bytes: { readonly agent: number; readonly receiver: number }
  readonly node: string
  readonly cpu: string
  readonly cpus: number
}

/** @returns whether both stayed below the limit */
export async function benchMemory(options: BenchOptions): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), 'cis490-bench-'))
  const children = new Children(join(dir, 'logs'))
  const stop = () => void children.stop()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  try {
    const result = await measure(dir, children, options.size)
    print(result, options.json)
    return Object.values(result.peak_bytes).every((peak) => peak > 0 && peak < limit)
  } finally {
    await children.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

async function measure(dir: string, children: Children, size: number): Promise<MemoryResult> {
  await checkRoom(dir, size)
  await makeDir(join(dir, 'logs'))
  const certificates = await makeCertificates(join(dir, 'certificates'), [host])
  const history = await findHistory(checkout, dir)
  const place = await writeReceiverConfig(dir, certificates, history)
  const receiver = await startReceiver(children, place.config)
  const agent = await writeAgentConfig(dir, host, receiver.url, certificates)
  await makeBigEpisode(agent.episodes, size, host, history.head)

  const begun = performance.now()
  const stderr = process.stderr.isTTY ? 'inherit' : 'pipe'
  const meters = { receiver: measurePeak(receiver.child.pid), agent: undefined as ReturnType<typeof measurePeak> | undefined }
  const onStart = (pid: number) => {
    meters.agent = measurePeak(pid)
  }
  await children.run('agent', programs.agent, ['ship', '--config', agent.config], [0], { stderr, onStart })
  meters.receiver.stop()
  meters.agent?.stop()
  return {
    benchmark: 'memory',
    episode_bytes: size,
    seconds: Number(((performance.now() - begun) / 1000).toFixed(1)),
    limit_bytes: limit,
    peak_bytes: { agent: meters.agent?.peak() ?? 0, receiver: meters.receiver.peak() },
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: cpus().length,
  }
}

/** The episode, its archive, and the stored copy. */
async function checkRoom(dir: string, size: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir)
  const need = size * 3
  if (bavail * bsize >= need) return
  throw new UserError(
    `${tmpdir()} has ${formatSize(bavail * bsize)} free, ${formatSize(need)} are needed; set TMPDIR or a smaller --size`,
  )
}

function print(result: MemoryResult, json: boolean): void {
  if (json) return void process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
  const rows = Object.entries(result.peak_bytes).map(([name, peak]) => {
    const verdict = peak > 0 && peak < limit ? 'ok' : 'TOO MUCH'
    return `${name.padEnd(10)} ${formatSize(peak).padStart(10)} ${formatSize(limit).padStart(10)}   ${verdict}\n`
  })
  process.stdout.write(
    `an episode of ${formatSize(result.episode_bytes)}, packed and shipped in ${result.seconds} s\n` +
      `${'program'.padEnd(10)} ${'peak'.padStart(10)} ${'limit'.padStart(10)}\n${rows.join('')}`,
  )
}
