/** What a zstd frame says of itself (RFC 8878 section 3.1), so that its end is found without decoding it. */

export const zstdMagic = 0xfd2fb528
/** Bytes that tell a frame header whole, the magic included. */
export const maxFrameHeader = 18
/** Bytes of a block's header. */
export const blockHeaderBytes = 3

export interface FrameHeader {
  /** Bytes before the first block, the magic included. */
  readonly length: number
  /** Window the decoder has to keep, in bytes. */
  readonly window: number
  /** What its blocks hold, in bytes, where it says so. */
  readonly content: number | undefined
  /** Four bytes of it follow the last block. */
  readonly checksum: boolean
}

/** @param head begins with the magic. @returns undefined when it ends inside the header */
export function readFrameHeader(head: Uint8Array): FrameHeader | undefined {
  const descriptor = head[4] ?? 0
  const singleSegment = (descriptor & 0x20) !== 0
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number
  const sizeFlag = descriptor >> 6
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag
  const length = 5 + (singleSegment ? 0 : 1) + dictionaryBytes + sizeBytes
  if (head.length < length) return undefined
  const size = littleEndian(head, length - sizeBytes, sizeBytes) + (sizeBytes === 2 ? 256 : 0)
  const exponent = 10 + ((head[5] as number) >> 3)
  // A frame of a single segment has no window of its own: its content is the window.
  const window = singleSegment ? size : 2 ** exponent + (2 ** exponent / 8) * ((head[5] as number) & 7)
  return { length, window, content: sizeBytes === 0 ? undefined : size, checksum: (descriptor & 4) !== 0 }
}

export interface BlockHeader {
  /** Bytes that follow this header. */
  readonly length: number
  readonly last: boolean
}

/** @returns undefined for a block of the reserved type */
export function readBlockHeader(head: Uint8Array): BlockHeader | undefined {
  const bits = littleEndian(head, 0, blockHeaderBytes)
  const type = (bits >> 1) & 3
  if (type === 3) return undefined
  return { length: type === 1 ? 1 : bits >> 3, last: (bits & 1) === 1 }
}

function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let k = count - 1; k >= 0; k--) value = value * 256 + (bytes[at + k] as number)
  return value
}
