/** A large upload over a connection that is cut again and again: how many bytes arrive at the receiver in all? */
import { randomBytes, randomInt } from 'node:crypto'
import { mkdir, open, utimes, writeFile } from 'node:fs/promises'
import { formatSize } from '@cis490/shared/size.ts'
import { ChaosProxy, type Plan } from '../../test/support/chaos-proxy.ts'
import { Lab } from '../../test/support/lab.ts'
import { between, type Random, seeded } from '../../test/support/seeded.ts'

export interface CutsOptions {
  /** Of random data in the episode. */
  readonly bytes: number
  readonly cuts: number
  readonly seed: number
  readonly say?: (line: string) => void
}

export interface CutsResult {
  readonly seed: number
  /** Of the archive. */
  readonly bytes: number
  /** Bytes of the wire that the receiver got over all connections, TLS included. */
  readonly arrived: number
  readonly ratio: number
  readonly cuts: number
  readonly connections: number
  /** In the receiver's index. */
  readonly rows: number
  readonly seconds: number
}

/** Real receiver, real agent, mutual TLS. Ends when the episode is delivered and the host has forgotten it. */
export async function measureCuts({ bytes, cuts, seed, say = () => undefined }: CutsOptions): Promise<CutsResult> {
  await using lab = await Lab.make()
  const url = await lab.startReceiver()
  await record(lab, 'large', bytes)
  const random = seeded(seed)
  const proxy = await ChaosProxy.open(url)
  await using _proxy = proxy
  proxy.plan = cutter(proxy, bytes, cuts, random, say)
  // The name in the receiver's certificate covers the proxy too.
  await lab.configureAgent(proxy.url, '[ship]\nconcurrency = 1\n')
  const started = performance.now()
  await using agent = lab.startAgent()
  await agent.line({ event: 'delivered', id: 'large' })
  await agent.line({ event: 'episode-deleted', id: 'large' })
  const seconds = (performance.now() - started) / 1000
  const rows = await lab.index()
  const archive = Number(rows[0]?.['bytes'])
  const arrived = proxy.carried.up
  const done = proxy.done.cut + proxy.done.reset
  return {
    seed,
    bytes: archive,
    arrived,
    ratio: arrived / archive,
    cuts: done,
    connections: proxy.connections,
    rows: rows.length,
    seconds,
  }
}

/** However close two places are, what a connection says before its body does not end it. */
const leastBytes = 64 * 1024

/** Places of the whole transfer at which the connection of that moment ends, half of them with a reset. One that was passed over comes at once. */
function cutter(proxy: ChaosProxy, bytes: number, cuts: number, random: Random, say: (line: string) => void) {
  const places = Array.from({ length: cuts }, () => between(random, leastBytes, bytes)).sort((a, b) => a - b)
  return (): Plan => {
    const next = places[proxy.done.cut + proxy.done.reset]
    if (next === undefined) return {}
    const act = random() < 0.5 ? 'cut' : 'reset'
    say(`next ${act} at ${formatSize(next)}`)
    return { faults: [{ do: act, on: 'up', after: Math.max(leastBytes, next - proxy.carried.up) }] }
  }
}

/** An episode that does not get smaller when it is packed. */
async function record(lab: Lab, id: string, bytes: number): Promise<void> {
  const folder = lab.path('episodes', id)
  await mkdir(folder)
  {
    await using file = await open(`${folder}/telemetry.bin`, 'w')
    const block = 4 << 20
    for (let left = bytes; left > 0; left -= block) await file.write(randomBytes(Math.min(block, left)))
  }
  const meta = { episode_id: id, schema_version: 1, code_version: { commit: lab.repo.log()[0] } }
  await writeFile(`${folder}/meta.json`, JSON.stringify(meta))
  const at = new Date()
  for (const name of ['telemetry.bin', 'meta.json']) await utimes(`${folder}/${name}`, at, at)
}

/** One line for a person. */
export function describeCuts({ seed, bytes, arrived, ratio, cuts, connections, rows, seconds }: CutsResult): string {
  return `an archive of ${formatSize(bytes)}, cut ${cuts} times (seed ${seed}): ${formatSize(arrived)} arrived in ${connections} connections, ${ratio.toFixed(4)} of it; ${rows} row, ${seconds.toFixed(1)} s`
}

if (import.meta.main) {
  const [mib = '1024', cuts = '20', seed = String(randomInt(2 ** 31))] = process.argv.slice(2)
  const result = await measureCuts({ bytes: Number(mib) * 1024 * 1024, cuts: Number(cuts), seed: Number(seed) })
  process.stdout.write(`${describeCuts(result)}\n`)
}
