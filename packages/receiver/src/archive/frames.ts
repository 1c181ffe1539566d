/** Walks the frames of a zstd file by their block headers (RFC 8878 section 3.1), so that each can be decoded alone. */
import type { FileHandle } from 'node:fs/promises'
import { blockHeaderBytes, maxFrameHeader, readBlockHeader, readFrameHeader, zstdMagic } from '@cis490/shared/zstd-frame.ts'

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
  const head = await readAt(file, offset, Math.min(maxFrameHeader, size - offset))
  if (head.length < 8) throw new NotZstd(`no zstd frame at byte ${offset}`)
  const magic = head.readUInt32LE(0)
  if ((magic & 0xfffffff0) >>> 0 === skippableMagic) {
    const length = 8 + head.readUInt32LE(4)
    if (offset + length > size) throw new NotZstd(`the skippable frame at byte ${offset} is cut off`)
    return { offset, length, skippable: true, window: 0 }
  }
  if (magic !== zstdMagic) throw new NotZstd(`no zstd frame at byte ${offset}`)
  const header = readFrameHeader(head)
  if (!header) throw new NotZstd('the frame header is cut off')
  let at = offset + header.length
  for (;;) {
    const bytes = await readAt(file, at, blockHeaderBytes)
    if (bytes.length < blockHeaderBytes) throw new NotZstd(`the frame at byte ${offset} is cut off`)
    const block = readBlockHeader(bytes)
    if (!block) throw new NotZstd(`the frame at byte ${offset} has a reserved block`)
    at += blockHeaderBytes + block.length
    if (at > size) throw new NotZstd(`the frame at byte ${offset} is cut off`)
    if (block.last) break
  }
  const end = at + (header.checksum ? 4 : 0)
  if (end > size) throw new NotZstd(`the frame at byte ${offset} is cut off`)
  return { offset, length: end - offset, skippable: false, window: header.window }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}
