/**
 * Follows a file of JSON lines that another program appends to: only new bytes are read, only complete lines are given.
 * A cursor knows the file by inode and by the bytes before its offset, so that a file that was replaced, shortened or written anew is read from the start.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { LineReader, type TakeLines } from './line-reader.ts'

export interface Cursor {
  readonly ino: number
  readonly offset: number
  /** Hexadecimal of the last bytes before the offset. */
  readonly mark: string
}

export interface Sink {
  /** What was given so far is void: the lines that follow start the file anew. */
  restart(): void
  readonly take: TakeLines
  /** Asked first where it is there: it may take the lines of a part by a way of its own. @returns where it ended, in bytes */
  ahead?(file: FileHandle, from: number): Promise<number>
}

const markLength = 64

/**
 * @param rotated the writer renames the full file to `<path>.1`, and what is left of that is read first
 * @returns where to go on next time; undefined: there is no file
 */
export async function follow(
  path: string,
  cursor: Cursor | undefined,
  rotated: boolean,
  sink: Sink,
  lines = new LineReader(),
): Promise<Cursor | undefined> {
  const readFrom = async (file: FileHandle, from: number) => await cursorAt(file, await readLines(file, from, sink, lines))
  await using file = await openIfThere(path)
  if (file && cursor && (await isSame(file, cursor))) return await readFrom(file, cursor.offset)
  await using older = rotated ? await openIfThere(`${path}.1`) : undefined
  if (older && cursor && (await isSame(older, cursor))) await readFrom(older, cursor.offset)
  else {
    if (cursor) sink.restart()
    if (older && !(await isOneFile(file, older))) await readFrom(older, 0)
  }
  return file && (await readFrom(file, 0))
}

async function readLines(file: FileHandle, from: number, sink: Sink, lines: LineReader): Promise<number> {
  const start = sink.ahead ? await sink.ahead(file, from) : from
  return await lines.read(file.fd, start, Number.POSITIVE_INFINITY, sink.take)
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

/** The writer may have renamed the file after we opened it: then both names lead to the same bytes. */
async function isOneFile(file: FileHandle | undefined, older: FileHandle): Promise<boolean> {
  return file !== undefined && (await file.stat()).ino === (await older.stat()).ino
}

async function isSame(file: FileHandle, { ino, offset, mark }: Cursor): Promise<boolean> {
  const stat = await file.stat()
  return stat.ino === ino && stat.size >= offset && (await markBefore(file, offset)) === mark
}

async function cursorAt(file: FileHandle, offset: number): Promise<Cursor> {
  const { ino } = await file.stat()
  return { ino, offset, mark: await markBefore(file, offset) }
}

async function markBefore(file: FileHandle, offset: number): Promise<string> {
  const from = Math.max(0, offset - markLength)
  const bytes = Buffer.alloc(offset - from)
  const { bytesRead } = await file.read(bytes, 0, bytes.length, from)
  return bytes.subarray(0, bytesRead).toString('hex')
}
