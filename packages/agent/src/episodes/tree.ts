/**
 * An episode's folder as it lies on disk. Symlinks are never followed.
 * Names are bytes to the file system, so they are kept as one character a byte (latin1): nothing is lost, and plain string order is byte order.
 */
import { createHash } from 'node:crypto'
import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from 'node:fs'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { isAscii } from './tar-header.ts'
import { Turn } from './turn.ts'

export type Kind = 'file' | 'folder' | 'link' | 'socket' | 'fifo' | 'device'

export interface TreeEntry {
  /** Below the episode's folder, without leading slash; bytes as characters. */
  readonly path: string
  readonly kind: Kind
  readonly mode: number
  /** Of a file; 0 else. */
  readonly size: number
  readonly mtime_ns: bigint
  readonly ctime_ns: bigint
  /** Target of a link; bytes as characters. */
  readonly target?: string
}

/** The path that the file system takes. */
export function rawPath(folder: string, path: string): Buffer | string {
  return isAscii(path) ? `${folder}/${path}` : Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, 'latin1')])
}

/** For messages. */
export function shownPath(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8')
}

/** The name in an archive: a folder ends in a slash. */
export function storedName(entry: TreeEntry): string {
  return entry.kind === 'folder' ? `${entry.path}/` : entry.path
}

/**
 * Everything below the folder: `meta.json` first, the rest in byte order of the stored names. What vanishes meanwhile is left out.
 * By stored names a folder's contents follow it at once; else tar would set its time too early (`a`, `a.txt`, `a/b`).
 */
export async function walkTree(folder: string): Promise<TreeEntry[]> {
  const found: TreeEntry[] = []
  const todo = ['']
  const turn = new Turn()
  for (let below = todo.pop(); below !== undefined; below = todo.pop()) {
    for (const name of unlessGone(() => readdirSync(rawPath(folder, below as string), { encoding: 'buffer' })) ?? []) {
      const path = `${below}${name.toString('latin1')}`
      const entry = readTreeEntry(folder, path)
      if (entry?.kind === 'folder') todo.push(`${path}/`)
      if (entry) found.push(entry)
      const pause = turn.pass()
      if (pause) await pause
    }
  }
  return found.sort(byStoredName)
}

function byStoredName(a: TreeEntry, b: TreeEntry): number {
  if (a.path === 'meta.json') return -1
  if (b.path === 'meta.json') return 1
  return storedName(a) < storedName(b) ? -1 : 1
}

function readTreeEntry(folder: string, path: string): TreeEntry | undefined {
  const raw = rawPath(folder, path)
  const stat = unlessGone(() => lstatSync(raw, { bigint: true }))
  if (stat === undefined) return undefined
  const kind = kindOf(stat)
  const common = { path, kind, mode: Number(stat.mode) & 0o7777, mtime_ns: stat.mtimeNs, ctime_ns: stat.ctimeNs }
  if (kind !== 'link') return { ...common, size: kind === 'file' ? Number(stat.size) : 0 }
  const target = unlessGone(() => readlinkSync(raw, { encoding: 'buffer' }))
  return target && { ...common, size: 0, target: target.toString('latin1') }
}

function kindOf(stat: BigIntStats): Kind {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'folder'
  if (stat.isSymbolicLink()) return 'link'
  if (stat.isSocket()) return 'socket'
  return stat.isFIFO() ? 'fifo' : 'device'
}

function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

export interface Fingerprint {
  /** Hash over names, kinds, modes, sizes, mtimes and link targets; folders without their mtime. */
  readonly tree: string
  /** The latest change time (ctime) of anything but folders, as decimal text. */
  readonly newest_change_ns: string
  /** Sum of the file sizes. */
  readonly bytes: number
}

export function fingerprint(entries: readonly TreeEntry[]): Fingerprint {
  const hash = createHash('sha256')
  let newest = 0n
  let bytes = 0
  for (const { path, kind, mode, size, mtime_ns, ctime_ns, target } of entries) {
    hash.update(`${JSON.stringify([path, kind, mode, size, kind === 'folder' ? '' : String(mtime_ns), target ?? ''])}\n`)
    if (kind !== 'folder' && ctime_ns > newest) newest = ctime_ns
    bytes += size
  }
  return { tree: hash.digest('hex'), newest_change_ns: String(newest), bytes }
}
