/** A file of an episode while it is packed. It must be what the walk saw. */
import { closeSync, constants, fstatSync, openSync, read, readSync } from 'node:fs'
import { promisify } from 'node:util'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { EpisodeChanged, PackRefused } from './faults.ts'
import { rawPath, shownPath, type TreeEntry } from './tree.ts'

const readAsync = promisify(read)
/** Bytes that are copied faster than another thread is asked to. */
const smallRead = 64 << 10

/** @returns a descriptor for the caller to close @throws PackRefused, EpisodeChanged */
export function openSource(folder: string, entry: TreeEntry): number {
  const fd = openNoFollow(folder, entry)
  const stat = fstatSync(fd, { bigint: true })
  if (stat.isFile() && Number(stat.size) === entry.size && stat.mtimeNs === entry.mtime_ns) return fd
  closeSync(fd)
  throw changed(entry)
}

/** Fills `into` from where the last call ended. @returns the bytes read @throws EpisodeChanged at the end of the file */
export function readSource(fd: number, into: Buffer, entry: TreeEntry): number | Promise<number> {
  if (into.length > smallRead) return readAsync(fd, into, 0, into.length, null).then((result) => some(result.bytesRead, entry))
  return some(readSync(fd, into, 0, into.length, null), entry)
}

function some(count: number, entry: TreeEntry): number {
  if (count === 0) throw changed(entry)
  return count
}

function changed(entry: TreeEntry): EpisodeChanged {
  return new EpisodeChanged(`${shownPath(entry.path)} changed while it was packed`)
}

function openNoFollow(folder: string, entry: TreeEntry): number {
  try {
    return openSync(rawPath(folder, entry.path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (isErrno(error, 'EACCES', 'EPERM')) throw new PackRefused(shownPath(entry.path), 'unreadable')
    if (isErrno(error, 'ENOENT', 'ELOOP', 'ENXIO', 'ENOTDIR')) throw new EpisodeChanged(`${shownPath(entry.path)} is gone`)
    throw error
  }
}
