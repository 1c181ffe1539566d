/** Bytes on disk, for the quota. */
import { lstat, readdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { fingerprint, walkTree } from './tree.ts'

/** Bytes of everything in the episodes folder, unfinished recordings and deletions too. */
export async function folderBytes(dir: string): Promise<number> {
  let sum = 0
  for (const { bytes } of await walkSizes(dir)) sum += bytes
  return sum
}

/** Each name in the episodes folder with the sum of its file sizes. No folder yet: none. */
export async function walkSizes(dir: string): Promise<{ readonly name: string; readonly bytes: number }[]> {
  const found = await readdir(dir, { withFileTypes: true }).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  })
  const sizes: { name: string; bytes: number }[] = []
  for (const entry of found) {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) sizes.push({ name: entry.name, bytes: fingerprint(await walkTree(path)).bytes })
    else sizes.push({ name: entry.name, bytes: (await lstat(path).catch(() => undefined))?.size ?? 0 })
  }
  return sizes
}

/** What an unprivileged process may still write there. */
export async function freeBytes(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir)
  return bavail * bsize
}
