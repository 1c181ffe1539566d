/** Walks the frames of a zstd file by their block headers (RFC 8878 section 3.1), so that each can be decoded alone. */
import type { FileHandle } from 'node:fs/promises'

export interface Frame {
  readonly offset: number
  readonly length: number
  readonly skippable: boolean
  /** Window the decoder has to keep, in bytes. */
  readonly window: number
}

export class NotZstd extends Error {
  override readonly name = 'NotZstd'
}

const zstdMagic = 0xfd2fb528
const skippableMagic = 0x184d2a50

/** @throws NotZstd where the bytes are no frame or end inside one */
export async function* frames(file: FileHandle, size: number): AsyncGenerator<Frame> {
  for (let offset = 0; offset < size; ) {
    const frame = await frameAt(file, offset, size)
    yield frame
    offset += frame.length
  }
}

async function frameAt(file: FileHandle, offset: number, size: number): Promise<Frame> {
  const head = await readAt(file, offset, Math.min(18, size - offset))
  if (head.length < 8) throw new NotZstd(`no zstd frame at byte ${offset}`)
  const magic = head.readUInt32LE(0)
  if ((magic & 0xfffffff0) >>> 0 === skippableMagic) {
    const length = 8 + head.readUInt32LE(4)
    if (offset + length > size) throw new NotZstd(`the skippable frame at byte ${offset} is cut off`)
    return { offset, length, skippable: true, window: 0 }
  }
  if (magic !== zstdMagic) throw new NotZstd(`no zstd frame at byte ${offset}`)
  const { headerLength, window, checksum } = frameHeader(head)
  let at = offset + headerLength
  for (;;) {
    const block = await readAt(file, at, 3)
    if (block.length < 3) throw new NotZstd(`the frame at byte ${offset} is cut off`)
    const bits = block.readUIntLE(0, 3)
    const type = (bits >> 1) & 3
    if (type === 3) throw new NotZstd(`the frame at byte ${offset} has a reserved block`)
    at += 3 + (type === 1 ? 1 : bits >> 3)
    if (at > size) throw new NotZstd(`the frame at byte ${offset} is cut off`)
    if (bits & 1) break
  }
  const end = at + (checksum ? 4 : 0)
  if (end > size) throw new NotZstd(`the frame at byte ${offset} is cut off`)
  return { offset, length: end - offset, skippable: false, window }
}

function frameHeader(head: Buffer): { headerLength: number; window: number; checksum: boolean } {
  const descriptor = head[4] as number
  const singleSegment = (descriptor & 0x20) !== 0
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number
  const sizeFlag = descriptor >> 6
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag
  const headerLength = 5 + (singleSegment ? 0 : 1) + dictionaryBytes + sizeBytes
  if (head.length < headerLength) throw new NotZstd('the frame header is cut off')
  let window: number
  if (singleSegment) {
    const at = 5 + dictionaryBytes
    window = sizeBytes === 8 ? Number(head.readBigUInt64LE(at)) : head.readUIntLE(at, sizeBytes) + (sizeBytes === 2 ? 256 : 0)
  } else {
    const exponent = 10 + ((head[5] as number) >> 3)
    window = 2 ** exponent + (2 ** exponent / 8) * ((head[5] as number) & 7)
  }
  return { headerLength, window, checksum: (descriptor & 4) !== 0 }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}
