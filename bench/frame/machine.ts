/** Where and when it was measured. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { build } from '@cis490/shared/node/build.ts'

export interface Machine {
  readonly at: string
  readonly cpu: string
  readonly cpus: number
  readonly memory_bytes: number
  /** Whether the processor's instructions for SHA-256 were used; `masked` where the run was told to do without. */
  readonly sha_extensions: 'used' | 'masked' | 'none'
  readonly kernel: string
  readonly node: string
  readonly commit: string | null
  /** Of the programs that were compared, as they say it. */
  readonly versions: Readonly<Record<string, string>>
}

/** Arguments that make a program tell its version. */
const tellers: Readonly<Record<string, readonly string[]>> = {
  openssl: ['openssl', 'version'],
  curl: ['curl', '--version'],
  nginx: ['nginx', '-v'],
  caddy: ['caddy', 'version'],
  zstd: ['zstd', '--version'],
  starlette: ['/usr/bin/python3', '-c', 'import importlib.metadata as m; print(m.version("starlette"))'],
  uvicorn: ['/usr/bin/python3', '-c', 'import importlib.metadata as m; print(m.version("uvicorn"))'],
}

let versions: Readonly<Record<string, string>> | undefined

export function describeMachine(): Machine {
  versions ??= Object.fromEntries(Object.entries(tellers).flatMap(([name, argv]) => versionOf(name, argv)))
  return {
    at: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: cpus().length,
    memory_bytes: totalmem(),
    sha_extensions: !hasShaExtensions() ? 'none' : process.env[opensslMask] === maskOfSha ? 'masked' : 'used',
    kernel: release(),
    node: process.version,
    commit: build.commit,
    versions,
  }
}

/** OpenSSL reads it at its start: bit 29 of the extended features is SHA. Node and Python have OpenSSL's hash too. */
const opensslMask = 'OPENSSL_ia32cap'
const maskOfSha = ':~0x20000000'

/** For every program that is started from now on: as on a processor without the instructions. */
export function maskShaExtensions(): void {
  process.env[opensslMask] = maskOfSha
}

function hasShaExtensions(): boolean {
  return / sha_ni /.test(readFileSync('/proc/cpuinfo', 'latin1'))
}

function versionOf(name: string, [file = '', ...args]: readonly string[]): [string, string][] {
  try {
    // nginx tells it on stderr.
    const text = execFileSync('/bin/sh', ['-c', '"$0" "$@" 2>&1', file, ...args], { encoding: 'utf8', timeout: 5000 })
    const version = /\d+\.\d+[\w.+-]*/.exec(text)?.[0]
    return version ? [[name, version]] : []
  } catch {
    return []
  }
}
