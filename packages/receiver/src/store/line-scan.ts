/** The complete lines of a growing file from an offset on, a chunk at a time: memory stays flat, and between two chunks others get their turn. */
import { type FileHandle, open } from 'node:fs/promises'
import { isErrno } from '@cis490/shared/node/errno.ts'

export interface ScannedLine {
  /** Without its newline; valid until the next chunk is asked for. */
  readonly bytes: Buffer
  /** Offset of the byte behind its newline. */
  readonly end: number
}

export interface ScanOptions {
  readonly from?: number
  /** Stop here, though the file may have grown. */
  readonly to?: number
  /** Lines without these bytes are passed over unseen. */
  readonly needle?: string | undefined
  readonly chunkBytes?: number
}

/** @property at offset up to which everything was looked at */
export interface Scanned {
  readonly lines: readonly ScannedLine[]
  readonly at: number
}

/** A missing file has no lines. A line that is longer than a chunk makes the chunk grow. */
export async function* scanLines(path: string, options: ScanOptions = {}): AsyncGenerator<Scanned> {
  await using file = await open(path, 'r').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  })
  if (!file) return
  const needle = options.needle === undefined ? undefined : Buffer.from(options.needle)
  let buffer = Buffer.allocUnsafe(options.chunkBytes ?? 256 << 10)
  let at = options.from ?? 0
  for (;;) {
    const want = Math.min(buffer.length, (options.to ?? Number.POSITIVE_INFINITY) - at)
    const bytesRead = await fill(file, buffer.subarray(0, want), at)
    const complete = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1
    if (complete > 0) {
      const chunk = buffer.subarray(0, complete)
      yield { lines: [...(needle ? linesWith(needle, chunk, at) : allLines(chunk, at))], at: at + complete }
      at += complete
    } else if (bytesRead === buffer.length) buffer = Buffer.allocUnsafe(buffer.length * 2)
    else return
  }
}

async function fill(file: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let done = 0
  while (done < buffer.length) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

function* allLines(chunk: Buffer, base: number): Generator<ScannedLine> {
  for (let from = 0; from < chunk.length; ) {
    const end = chunk.indexOf(0x0a, from)
    yield { bytes: chunk.subarray(from, end), end: base + end + 1 }
    from = end + 1
  }
}

function* linesWith(needle: Buffer, chunk: Buffer, base: number): Generator<ScannedLine> {
  for (let hit = chunk.indexOf(needle); hit >= 0; ) {
    const end = chunk.indexOf(0x0a, hit)
    yield { bytes: chunk.subarray(chunk.lastIndexOf(0x0a, hit) + 1, end), end: base + end + 1 }
    hit = chunk.indexOf(needle, end)
  }
}

/** The line that ends right before `offset`. @returns undefined where no line ends there */
export async function lineBefore(path: string, offset: number): Promise<Buffer | undefined> {
  await using file = await open(path, 'r').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  })
  for (let length = 4096; file; length *= 2) {
    const from = Math.max(0, offset - length)
    const buffer = Buffer.alloc(offset - from)
    if ((await fill(file, buffer, from)) < buffer.length || buffer.at(-1) !== 0x0a) return undefined
    const before = buffer.length < 2 ? -1 : buffer.lastIndexOf(0x0a, buffer.length - 2)
    if (before >= 0 || from === 0) return buffer.subarray(before + 1, -1)
  }
  return undefined
}
