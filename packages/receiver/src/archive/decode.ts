/** Decodes whole archives: frame by frame, streamed, with a bound on the window. */
import { type FileHandle, open } from 'node:fs/promises'
import { pipeline, Readable } from 'node:stream'
import { constants, createZstdDecompress } from 'node:zlib'
import { isSystemError } from '@cis490/shared/node/errno.ts'
import { frames, NotZstd } from './frames.ts'

/** Memory of a decoder, as a power of two. */
export const maxWindowLog = 27
const maxWindow = 2 ** maxWindowLog

/** Decoded bytes of a whole archive in order. @throws NotZstd */
export async function* decode(path: string): AsyncGenerator<Buffer> {
  await using file = await open(path, 'r')
  const { size } = await file.stat()
  if (size === 0) throw new NotZstd('the archive is empty')
  for await (const frame of frames(file, size)) {
    if (frame.skippable) continue
    if (frame.window > maxWindow) throw new NotZstd(`a window of ${frame.window} bytes is more than ${maxWindow}`)
    yield* decodeFrame(file, frame.offset, frame.length)
  }
}

async function* decodeFrame(file: FileHandle, offset: number, length: number): AsyncGenerator<Buffer> {
  const decoder = createZstdDecompress({
    chunkSize: 256 << 10,
    params: { [constants.ZSTD_d_windowLogMax]: maxWindowLog },
    rejectGarbageAfterEnd: true,
  })
  pipeline(Readable.from(slices(file, offset, length)), decoder, () => undefined)
  try {
    for await (const chunk of decoder) yield chunk as Buffer
  } catch (error) {
    // That the disk cannot read it is no fault of the archive.
    if (isSystemError(error)) throw error
    throw new NotZstd('the archive cannot be decompressed', { cause: error })
  }
}

async function* slices(file: FileHandle, offset: number, length: number): AsyncGenerator<Buffer> {
  for (let at = offset; at < offset + length; ) {
    const buffer = Buffer.alloc(Math.min(256 << 10, offset + length - at))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
    at += bytesRead
  }
}
