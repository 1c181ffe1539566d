/** An episode's folder as one deterministic `.tar.zst`: the same tree, mtimes included, gives the same bytes. */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { EpisodeId, Sha256 } from '@cis490/shared/ids.ts'
import { removeFile } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { staysInside } from '../core/link-target.ts'
import { FrameWriter } from './frames.ts'
import { endOfArchive, padding, tarHeader } from './tar-header.ts'
import { fingerprint, rawPath, shownPath, storedName, type TreeEntry, walkTree } from './tree.ts'

/** The episode holds something that no archive may carry. A person must mend the folder. */
export class PackRefused extends Error {
  override readonly name = 'PackRefused'
  readonly path: string
  readonly reason: 'socket' | 'fifo' | 'device' | 'link-outside' | 'unreadable'
  constructor(path: string, reason: PackRefused['reason']) {
    super(`${path}: ${reason}`)
    this.path = path
    this.reason = reason
  }
}

/** Something wrote to the folder while it was packed: it was not finished after all. */
export class EpisodeChanged extends Error {
  override readonly name = 'EpisodeChanged'
}

export interface PackJob {
  readonly episodesDir: string
  readonly id: EpisodeId
  /** As it was when the episode was judged finished. */
  readonly tree: readonly TreeEntry[]
  /** Written, synced, and left for the caller to publish. Removed on failure. */
  readonly partPath: string
  /** @param done bytes of the files read so far, of `total` */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
  /** Waited for between two pieces of a file, when something else needs the disk. */
  readonly breathe?: (() => Promise<void>) | undefined
  readonly signal?: AbortSignal | undefined
}

export interface PackedArchive {
  readonly bytes: number
  readonly sha256: Sha256
}

/** @throws PackRefused, EpisodeChanged */
export async function packEpisode(job: PackJob): Promise<PackedArchive> {
  refuseStrangers(job.tree)
  await removeFile(job.partPath)
  const part = await open(job.partPath, 'wx', 0o640)
  try {
    const archive = await writeArchive(job, part)
    await part.sync()
    await part.close()
    const before = fingerprint(job.tree)
    const after = fingerprint(await walkTree(join(job.episodesDir, job.id)))
    if (before.tree !== after.tree || before.newest_change_ns !== after.newest_change_ns)
      throw new EpisodeChanged(`${job.id} changed while it was packed`)
    return { ...archive, sha256: archive.sha256 as Sha256 }
  } catch (error) {
    await part.close().catch(() => undefined)
    await removeFile(job.partPath)
    throw error
  }
}

function refuseStrangers(tree: readonly TreeEntry[]): void {
  const links = new Map(tree.flatMap((entry) => (entry.target === undefined ? [] : [[entry.path, entry.target] as const])))
  for (const { path, kind, target } of tree) {
    if (kind === 'socket' || kind === 'fifo' || kind === 'device') throw new PackRefused(shownPath(path), kind)
    if (target !== undefined && !staysInside(path, target, links)) throw new PackRefused(shownPath(path), 'link-outside')
  }
}

async function writeArchive(job: PackJob, part: FileHandle): Promise<{ bytes: number; sha256: string }> {
  const frames = new FrameWriter(part)
  const total = fingerprint(job.tree).bytes
  let done = 0
  const onBytes = (count: number) => {
    job.signal?.throwIfAborted()
    done += count
    job.onProgress?.(done, total)
  }
  for (const entry of job.tree) {
    const type = entry.kind as 'file' | 'folder' | 'link'
    await frames.write(tarHeader({ ...entry, name: `${job.id}/${storedName(entry)}`, type }, job.id))
    if (entry.kind === 'file') await writeFile(join(job.episodesDir, job.id), entry, frames, onBytes, job.breathe)
  }
  await frames.write(endOfArchive)
  return frames.end()
}

async function writeFile(
  folder: string,
  entry: TreeEntry,
  frames: FrameWriter,
  onBytes: (count: number) => void,
  breathe: PackJob['breathe'],
): Promise<void> {
  await using file = await openSource(folder, entry)
  const stat = await file.stat({ bigint: true })
  const same = stat.isFile() && Number(stat.size) === entry.size && stat.mtimeNs === entry.mtime_ns
  for (let left = same ? entry.size : -1; left !== 0; ) {
    const count = left < 0 ? 0 : await frames.fill(left, async (into) => (await file.read(into, 0, into.length)).bytesRead)
    if (count === 0) throw new EpisodeChanged(`${shownPath(entry.path)} changed while it was packed`)
    left -= count
    onBytes(count)
    await breathe?.()
  }
  await frames.write(Buffer.alloc(padding(entry.size)))
}

async function openSource(folder: string, entry: TreeEntry): Promise<FileHandle> {
  try {
    return await open(rawPath(folder, entry.path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (isErrno(error, 'EACCES', 'EPERM')) throw new PackRefused(shownPath(entry.path), 'unreadable')
    if (isErrno(error, 'ENOENT', 'ELOOP', 'ENXIO', 'ENOTDIR')) throw new EpisodeChanged(`${shownPath(entry.path)} is gone`)
    throw error
  }
}
