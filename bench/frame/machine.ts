/** Where and when it was measured. */
import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'
import { build } from '@cis490/shared/node/build.ts'

export interface Machine {
  readonly at: string
  readonly cpu: string
  readonly cpus: number
  readonly memory_bytes: number
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
    kernel: release(),
    node: process.version,
    commit: build.commit,
    versions,
  }
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
