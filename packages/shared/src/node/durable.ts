/**
 * The one place that renames and links. Each function but `showFile` and `linkNew` returns only when its effect would survive a power cut.
 * Names and small files change in memory: at once, a tenth of what it takes to hand that to another thread and to wake up for the answer.
 * Only what waits for the disk goes there: syncing, and freeing the blocks of a large file.
 */
import { closeSync, constants, fsync, linkSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { type FileHandle, mkdir, open, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { isErrno } from './errno.ts'
import { endOfTurn } from './loop-turn.ts'

/** Up to here bytes are handed to the page cache at once. */
export const atOnceBytes = 256 << 10

/** By a thread that waits for the disk. */
export const syncPlain = promisify(fsync)

/** Once this turn of the loop is over. A new file may have to wait for a block that a sync is writing: so those of one turn are made first, then synced. */
async function syncLate(fd: number): Promise<void> {
  await endOfTurn()
  await syncPlain(fd)
}

/** Makes directory entries durable: a created, linked, renamed or removed name. */
export async function syncDir(path: string): Promise<void> {
  await using dir = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  await dir.sync()
}

/** Makes bytes of a file durable that were written by whatever handle. */
export async function syncFile(path: string): Promise<void> {
  await using file = await open(path, 'r')
  await file.sync()
}

/**
 * mkdir -p whose new directories survive a power cut: every parent that got a new entry is synced.
 * Step by step, because Node's own recursive form never returns where a file system has no room for new names (/proc).
 * @param sync left to the caller, where he syncs the parents together with others
 */
export async function makeDir(path: string, mode = 0o750, sync = syncDir): Promise<void> {
  try {
    await mkdir(path, { mode })
  } catch (error) {
    if (isErrno(error, 'EEXIST') && (await stat(path)).isDirectory()) return
    const parent = dirname(path)
    if (!isErrno(error, 'ENOENT') || parent === path) throw error
    await makeDir(parent, mode, sync)
    await mkdir(path, { mode }).catch((again: unknown) => {
      if (!isErrno(again, 'EEXIST')) throw again
    })
  }
  await sync(dirname(path))
}

/** Writes all of it: a short write on a nearly full disk reports no error of its own. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  if (bytes.length <= atOnceBytes) return writeAtOnce(file.fd, bytes)
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done)
    done += bytesWritten
  }
}

function writeAtOnce(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done)
}

/** Creates `path` with these bytes, synced; its name is not yet durable. Refuses an existing name (EEXIST) and leaves nothing behind on failure. */
export async function writeNew(path: string, bytes: Uint8Array | string, mode = 0o640, sync = syncPlain): Promise<void> {
  const given = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
  if (given.length > atOnceBytes) return await writeNewLarge(path, given, mode)
  const fd = openSync(path, 'wx', mode)
  try {
    writeAtOnce(fd, given)
    await sync(fd)
  } catch (error) {
    closeSync(fd)
    await unlink(path).catch(() => undefined)
    throw error
  }
  closeSync(fd)
}

async function writeNewLarge(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await writeAll(file, bytes)
    await file.sync()
    await file.close()
  } catch (error) {
    await file.close().catch(() => undefined)
    await unlink(path).catch(() => undefined)
    throw error
  }
}

/** Gives a file a second name without ever replacing one. @returns false when the name is taken */
export function linkNew(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false
    throw error
  }
}

/** Replaces a whole file: readers see the old bytes or the new ones, over a power cut too. One writer a path. */
export async function replaceFile(path: string, bytes: Uint8Array | string, mode = 0o640): Promise<void> {
  const temp = `${path}.tmp`
  await writeNew(temp, bytes, mode, syncLate).catch(async (error: unknown) => {
    if (!isErrno(error, 'EEXIST')) throw error
    await removeFile(temp)
    await writeNew(temp, bytes, mode, syncLate)
  })
  try {
    renameSync(temp, path)
    await syncDir(dirname(path))
  } catch (error) {
    await unlink(temp).catch(() => undefined)
    throw error
  }
}

/**
 * Replaces a whole file for who reads it, and returns before that is durable: for bytes that are kept elsewhere until `syncFile` and
 * `syncDir` have made them so here. One writer a path.
 */
export function showFile(path: string, bytes: Uint8Array, mode = 0o640): void {
  const temp = `${path}.tmp`
  const fd = openSync(temp, 'w', mode)
  try {
    writeAtOnce(fd, bytes)
    renameSync(temp, path)
  } catch (error) {
    rmSync(temp, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
}

/** Renames a synced file over `to` and makes that durable. On failure `from` stays. */
export async function moveOver(from: string, to: string, sync = syncDir): Promise<void> {
  await rename(from, to)
  await sync(dirname(to))
}

/** @returns false when there was no such file */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}
