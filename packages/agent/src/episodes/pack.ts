/** An episode's folder as one deterministic `.tar.zst`: the same tree, mtimes included, gives the same bytes. */
import { closeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { EpisodeId, Sha256 } from '@cis490/shared/ids.ts'
import { removeFile } from '@cis490/shared/node/durable.ts'
import { staysInside } from '../core/link-target.ts'
import { EpisodeChanged, PackRefused } from './faults.ts'
import { FrameWriter } from './frames.ts'
import { openSource, readSource } from './source.ts'
import { endOfArchive, padding, tarHeader } from './tar-header.ts'
import { fingerprint, shownPath, storedName, type TreeEntry, walkTree } from './tree.ts'
import { Turn } from './turn.ts'

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
  /** Frames that are compressed at the same time. The bytes do not depend on it. */
  readonly inFlight?: number | undefined
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
  const frames = new FrameWriter(part, job.inFlight)
  try {
    await writeArchive(job, frames)
    const archive = await frames.end()
    await part.sync()
    await part.close()
    const before = fingerprint(job.tree)
    const after = fingerprint(await walkTree(join(job.episodesDir, job.id)))
    if (before.tree !== after.tree || before.newest_change_ns !== after.newest_change_ns)
      throw new EpisodeChanged(`${job.id} changed while it was packed`)
    return { ...archive, sha256: archive.sha256 as Sha256 }
  } catch (error) {
    await frames.settle().catch(() => undefined)
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

async function writeArchive(job: PackJob, frames: FrameWriter): Promise<void> {
  const folder = join(job.episodesDir, job.id)
  const total = job.tree.reduce((sum, { size }) => sum + size, 0)
  const turn = new Turn()
  let done = 0
  const onBytes = (count: number) => {
    job.signal?.throwIfAborted()
    done += count
    job.onProgress?.(done, total)
  }
  for (const entry of job.tree) {
    const type = entry.kind as 'file' | 'folder' | 'link'
    // Awaiting nothing costs a turn of the queue for each of a hundred thousand files.
    const head = frames.write(tarHeader({ ...entry, name: `${job.id}/${storedName(entry)}`, type }, job.id))
    if (head) await head
    if (entry.kind === 'file') await writeFile(folder, entry, frames, onBytes, job.breathe)
    const pause = turn.pass()
    if (pause) await pause
  }
  await frames.write(endOfArchive)
}

async function writeFile(
  folder: string,
  entry: TreeEntry,
  frames: FrameWriter,
  onBytes: (count: number) => void,
  breathe: PackJob['breathe'],
): Promise<void> {
  const fd = openSource(folder, entry)
  try {
    for (let left = entry.size; left > 0; ) {
      const reading = readSource(fd, frames.room(left), entry)
      const count = typeof reading === 'number' ? reading : await reading
      const wait = frames.advance(count)
      if (wait) await wait
      left -= count
      onBytes(count)
      await breathe?.()
    }
  } finally {
    closeSync(fd)
  }
  const wait = frames.write(zeros.subarray(0, padding(entry.size)))
  if (wait) await wait
}

const zeros = Buffer.alloc(512)
