/**
 * The head of a small archive, looked at in one go: no streams, no other thread.
 * Only the ordinary case. Whatever is wrong or unusual is left to the walk, so that both can never disagree.
 */
import { constants, zstdDecompressSync } from 'node:zlib'
import { decompress, init } from '@bokuweb/zstd-wasm'
import {
  blockHeaderBytes,
  type FrameHeader,
  maxFrameHeader,
  readBlockHeader,
  readFrameHeader,
  zstdMagic,
} from '@cis490/shared/zstd-frame.ts'
import { entryFault, isMeta } from '../core/archive-entry.ts'
import { type Expected, judgeMeta } from '../core/episode-claim.ts'
import { maxWindowLog } from './decode.ts'
import { type Inspection, inspectionOf } from './inspection.ts'
import { type PlainHeader, readPlainHeader, tarBlock } from './plain-header.ts'

/** A first frame that holds more is no small one. */
const maxContent = 1 << 20
/** Memory for what comes out of it, at a time. Node's own 64 KiB for each archive had the collector look at the whole heap every 500. */
const outputBytes = 4 << 10
/** Of the frame header's first byte (RFC 8878 section 3.1.1.1.1.4). */
const reservedBit = 0x08
/** What a block may hold at most. */
const blockBytes = 128 << 10
/** How far the walk looks, too. */
const lookedAt = 256 << 10

/** @param archive all bytes of it, in pieces. @returns undefined where the walk has to judge */
export function inspectSmallHead(archive: readonly Buffer[], expected: Expected): Inspection | undefined {
  const frame = (archive[0] && firstFrame(archive[0])) ?? (archive.length > 1 ? firstFrame(Buffer.concat(archive)) : undefined)
  const content = frame && contentOf(frame)
  return content && inspectTar(content.subarray(0, lookedAt), expected)
}

interface FirstFrame {
  readonly header: FrameHeader
  readonly bytes: Buffer
}

/** Its bytes, by the lengths of its blocks (RFC 8878 section 3.1.1). */
function firstFrame(archive: Buffer): FirstFrame | undefined {
  if (archive.length < maxFrameHeader || archive.readUInt32LE(0) !== zstdMagic) return undefined
  if (((archive[4] as number) & reservedBit) !== 0) return undefined
  const header = readFrameHeader(archive.subarray(0, maxFrameHeader))
  if (!header || header.window > 2 ** maxWindowLog) return undefined
  for (let at = header.length; at + blockHeaderBytes <= archive.length; ) {
    const block = readBlockHeader(archive.subarray(at, at + blockHeaderBytes))
    if (!block) return undefined
    at += blockHeaderBytes + block.length
    if (!block.last) continue
    const end = at + (header.checksum ? 4 : 0)
    return end <= archive.length ? { header, bytes: archive.subarray(0, end) } : undefined
  }
  return undefined
}

let loaded = false

/** Begins to load the quick decoder. Until it is there, and where WebAssembly cannot be had, Node's does its work. */
export async function loadDecoder(): Promise<void> {
  try {
    await init()
    loaded = true
  } catch {
    // Nothing but time is lost.
  }
}

/**
 * A context of Node's would be made for each archive, and outlive it until the collector has looked at the whole heap.
 * The other decoder is only for what both judge alike: it does not bound blocks and distances as the format wants.
 */
function contentOf({ header: { window, content }, bytes }: FirstFrame): Buffer | undefined {
  try {
    if (!loaded || content === undefined || content > Math.min(window, blockBytes)) return contentByNode(bytes)
    const decoded = decompress(bytes)
    return Buffer.from(decoded.buffer, decoded.byteOffset, decoded.length)
  } catch {
    return undefined
  }
}

function contentByNode(frame: Buffer): Buffer {
  return zstdDecompressSync(frame, {
    chunkSize: outputBytes,
    maxOutputLength: maxContent,
    params: { [constants.ZSTD_d_windowLogMax]: maxWindowLog },
  })
}

function inspectTar(tar: Buffer, expected: Expected): Inspection | undefined {
  let found: Inspection | undefined
  for (let at = 0; at + tarBlock <= tar.length; ) {
    const header = readPlainHeader(tar, at)
    if (header === 'end') return isEnd(tar, at + tarBlock) ? found : undefined
    if (!header || !fits(header) || entryFault(header, expected.id) !== undefined) return undefined
    const body = at + tarBlock
    at = body + Math.ceil(header.size / tarBlock) * tarBlock
    if (found) continue
    if (!isMeta(header.path, expected.id) || header.type === 'Directory' || at > tar.length) return undefined
    const verdict = judgeMeta(tar.toString('utf8', body, body + header.size), expected)
    if (!verdict.ok) return undefined
    found = inspectionOf(verdict.meta)
  }
  return found
}

function isEnd(tar: Buffer, at: number): boolean {
  return at + tarBlock > tar.length || readPlainHeader(tar, at) === 'end'
}

/** A link leads somewhere, and nothing else does. */
function fits({ type, linkpath }: PlainHeader): boolean {
  return (type === 'SymbolicLink') === (linkpath !== '')
}
