/** Bytes on disk, for the quota. */
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { EpisodeId } from '@cis490/shared/ids.ts'
import { fingerprint, walkTree } from './tree.ts'

/** Sum of the file sizes of these episodes. */
export async function episodeBytes(dir: string, ids: Iterable<EpisodeId>): Promise<number> {
  let sum = 0
  for (const id of ids) sum += fingerprint(await walkTree(join(dir, id))).bytes
  return sum
}

/** What an unprivileged process may still write there. */
export async function freeBytes(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir)
  return bavail * bsize
}
