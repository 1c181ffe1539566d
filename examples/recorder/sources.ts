/** What the kernel says about this machine, as text that is cheap to read many times a second. */
import { readFile } from 'node:fs/promises'

export interface Source {
  /** File in the episode's folder, without its ending. */
  readonly name: string
  readonly path: string
}

export const sources: readonly Source[] = [
  { name: 'cpu', path: '/proc/stat' },
  { name: 'memory', path: '/proc/meminfo' },
  { name: 'network', path: '/proc/net/dev' },
  { name: 'disks', path: '/proc/diskstats' },
  { name: 'pressure-cpu', path: '/proc/pressure/cpu' },
  { name: 'pressure-memory', path: '/proc/pressure/memory' },
  { name: 'pressure-io', path: '/proc/pressure/io' },
]

/** @returns the text, or undefined where this kernel does not tell (no pressure information, a container that hides it) */
export async function readSource(source: Source): Promise<string | undefined> {
  return readFile(source.path, 'utf8').catch(() => undefined)
}
