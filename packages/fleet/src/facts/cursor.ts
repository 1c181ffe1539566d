/**
 * Follows a file of JSON lines that another program appends to: only new bytes are read, only complete lines are given.
 * A cursor knows the file by inode and by the bytes before its offset, so that a file that was replaced, shortened or written anew is read from the start.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { splitLines } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'

export interface Cursor {
  readonly ino: number
  readonly offset: number
  /** Hexadecimal of the last bytes before the offset. */
  readonly mark: string
}

export interface Sink {
  /** What was given so far is void: the lines that follow start the file anew. */
  restart(): void
  line(text: string): void
}

const block = 4 << 20
const markLength = 64
/** No row is this long: a run of bytes without newline beyond it is not held in memory. */
const longestLine = 1 << 20

/**
 * @param rotated the writer renames the full file to `<path>.1`, and what is left of that is read first
 * @returns where to go on next time; undefined: there is no file
 */
export async function follow(
  path: string,
  cursor: Cursor | undefined,
  rotated: boolean,
  sink: Sink,
): Promise<Cursor | undefined> {
  await using file = await openIfThere(path)
  if (file && cursor && (await isSame(file, cursor))) return await readFrom(file, cursor.offset, sink)
  await using older = rotated ? await openIfThere(`${path}.1`) : undefined
  if (older && cursor && (await isSame(older, cursor))) await readFrom(older, cursor.offset, sink)
  else {
    if (cursor) sink.restart()
    if (older && !(await isOneFile(file, older))) await readFrom(older, 0, sink)
  }
  return file && (await readFrom(file, 0, sink))
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

async function markBefore(file: FileHandle, offset: number): Promise<string> {
  const from = Math.max(0, offset - markLength)
  return (await readAt(file, Buffer.alloc(offset - from), from)).toString('hex')
}

async function readAt(file: FileHandle, into: Buffer, from: number): Promise<Buffer> {
  const { bytesRead } = await file.read(into, 0, into.length, from)
  return into.subarray(0, bytesRead)
}

async function readFrom(file: FileHandle, start: number, sink: Sink): Promise<Cursor> {
  const buffer = Buffer.allocUnsafe(block)
  let offset = start
  let position = start
  let carry: Buffer = Buffer.alloc(0)
  for (;;) {
    const fresh = await readAt(file, buffer, position)
    if (fresh.length === 0) break
    position += fresh.length
    const bytes = carry.length > 0 ? Buffer.concat([carry, fresh]) : fresh
    const { lines, complete } = splitLines(bytes)
    for (const line of lines) if (line !== '') sink.line(line)
    if (complete > 0) offset = position - bytes.length + complete
    // The head of an over-long line is enough to see that it is no row.
    carry = Buffer.from(bytes.subarray(complete)).subarray(0, longestLine)
  }
  const { ino } = await file.stat()
  return { ino, offset, mark: await markBefore(file, offset) }
}
