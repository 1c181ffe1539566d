/** One run of large uploads: curl sends, the server is watched; and the limit, OpenSSL's hash of the same bytes. */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { CertificateFiles } from '../scripts/local-fleet/certificates.ts'
import { type CommandResult, runCommand } from './frame/command.ts'
import { cpuOf, cpuOfEnded, forgetPeak, peakOf } from './frame/process-tree.ts'
import type { Contender } from './frame/series.ts'
import type { BodyFile } from './load/body-file.ts'
import type { RunningPeer } from './peers/peer.ts'

/** Fewer bytes are gone before they matter. */
const worthSettling = 64 << 20

export const hasher = 'openssl dgst'

/** All bodies at once, each in a process of its own. */
export function hashAll(bodies: readonly BodyFile[], bytes: number): Contender {
  return {
    name: hasher,
    async run() {
      const { seconds, cpu } = await allAtOnce(bodies, ({ path }) => runCommand('openssl', ['dgst', '-sha256', path]))
      return { ...rates(seconds, bytes), cpu_per_gib: perGib(cpu, bytes) }
    },
  }
}

export function uploadTo(
  server: RunningPeer,
  bodies: readonly BodyFile[],
  bytes: number,
  certificates: CertificateFiles,
  host: string,
): Contender {
  const pair = certificates.hosts[host]
  if (!pair) throw new Error(`no certificate was made for ${host}`)
  const identity = ['--cacert', certificates.ca, '--cert', pair.cert, '--key', pair.key]
  return {
    name: server.name,
    async run() {
      // What another server left dirty in the page cache is written now, not while this one syncs.
      if (bytes >= worthSettling) await runCommand('sync', ['--file-system', server.store])
      forgetPeak(server.pids)
      const before = cpuOf(server.pids)
      const { seconds, cpu } = await allAtOnce(bodies, (body) => send(server, body, identity))
      const served = cpuOf(server.pids) - before
      const rss = peakOf(server.pids)
      await dropBodies(server, bodies)
      return { ...rates(seconds, bytes), cpu_per_gib: perGib(served, bytes), client_cpu_per_gib: perGib(cpu, bytes), rss }
    },
  }
}

async function allAtOnce(
  bodies: readonly BodyFile[],
  run: (body: BodyFile) => Promise<CommandResult>,
): Promise<{ seconds: number; cpu: number }> {
  const cpu = cpuOfEnded()
  const begun = performance.now()
  await Promise.all(bodies.map(run))
  return { seconds: (performance.now() - begun) / 1000, cpu: cpuOfEnded() - cpu }
}

/** @throws Error when it was not stored */
async function send({ port, upload }: RunningPeer, body: BodyFile, identity: readonly string[]): Promise<CommandResult> {
  const how = upload === 'put' ? putArguments(port, body) : tusArguments(port, body)
  const quiet = ['-sS', '--http1.1', '-w', '\\n%{http_code}']
  const result = await runCommand('curl', [...quiet, ...identity, '-T', body.path, ...how])
  if (!/\n20[014]$/.test(result.stdout)) throw new Error(`the upload was answered with ${result.stdout.replaceAll(/\s+/g, ' ')}`)
  return result
}

function putArguments(port: number, { id, sha256, commit }: BodyFile): string[] {
  const headers = [`X-Content-SHA256: ${sha256}`, `X-Cis490-Code-Commit: ${commit}`, 'Content-Type: application/zstd']
  return [...headers.flatMap((header) => ['-H', header]), `https://localhost:${port}/v1/episodes/${id}.tar.zst`]
}

/** Creation with upload: all of it in one request. */
function tusArguments(port: number, { bytes }: BodyFile): string[] {
  const headers = ['Tus-Resumable: 1.0.0', `Upload-Length: ${bytes}`, 'Content-Type: application/offset+octet-stream']
  return ['-X', 'POST', ...headers.flatMap((header) => ['-H', header]), `https://localhost:${port}/v1/episodes`]
}

/** Stored bodies go between two runs: a few big files, which ext4 forgets at once. Folders and rows stay. */
async function dropBodies({ store }: RunningPeer, bodies: readonly BodyFile[]): Promise<void> {
  const least = Math.min(...bodies.map(({ bytes }) => bytes))
  for (const entry of await readdir(store, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && (await stat(path)).size >= least) await rm(path)
  }
}

function rates(seconds: number, bytes: number): { seconds: number; mb_per_s: number } {
  return { seconds, mb_per_s: bytes / 1e6 / seconds }
}

function perGib(cpu: number, bytes: number): number {
  return cpu / (bytes / 2 ** 30)
}
