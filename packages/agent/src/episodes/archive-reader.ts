/**
 * Reads anywhere in the content of an archive of ours: every frame but the last holds the same number of bytes and tells where it ends,
 * so that only those that are asked for are decoded. For a command, not for the daemon: its calls are synchronous.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { zstdDecompressSync } from 'node:zlib'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { blockHeaderBytes, maxFrameHeader, readBlockHeader, readFrameHeader, zstdMagic } from '@cis490/shared/zstd-frame.ts'
import { frameBytes } from './frames.ts'

/** The archive is damaged, or another program packed it. */
export class ArchiveUnreadable extends Error {
  override readonly name = 'ArchiveUnreadable'
}

const notOurs = 'its frames are not those of cis490-agent; read it with tar --zstd -tvf'

interface Frame {
  readonly offset: number
  readonly length: number
  /** Of its first byte in the content of the archive. */
  readonly at: number
}

export class ArchiveReader implements Disposable {
  readonly #fd: number
  readonly #size: number
  /** As far as anybody asked. */
  readonly #frames: Frame[] = []
  #decoded: { readonly frame: Frame; readonly bytes: Buffer } | undefined

  /** @throws the fault of the disk */
  constructor(path: string) {
    this.#fd = openSync(path, 'r')
    this.#size = fstatSync(this.#fd).size
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }

  /** @returns the bytes from `at` to the end of their frame, at most `max`; empty at the end of the content @throws ArchiveUnreadable */
  read(at: number, max: number): Buffer {
    const frame = this.#frameAt(at)
    if (!frame) return Buffer.alloc(0)
    if (this.#decoded?.frame !== frame) this.#decoded = { frame, bytes: this.#decode(frame) }
    return this.#decoded.bytes.subarray(at - frame.at, at - frame.at + max)
  }

  /** As `read`, over borders of frames. @throws ArchiveUnreadable also when there are fewer */
  readExactly(at: number, length: number): Buffer {
    const parts: Buffer[] = []
    for (let done = 0; done < length; ) {
      const part = this.read(at + done, length - done)
      if (part.length === 0) throw new ArchiveUnreadable('it ends too early')
      parts.push(part)
      done += part.length
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
  }

  #frameAt(at: number): Frame | undefined {
    const wanted = Math.floor(at / frameBytes)
    while (this.#frames.length <= wanted) {
      const last = this.#frames.at(-1)
      const offset = last ? last.offset + last.length : 0
      if (offset >= this.#size) return undefined
      this.#frames.push({ offset, length: this.#walk(offset) - offset, at: this.#frames.length * frameBytes })
    }
    return this.#frames[wanted]
  }

  /** Goes from block to block; nothing is decoded. @returns where the frame ends */
  #walk(offset: number): number {
    const head = this.#pread(offset, maxFrameHeader, 8)
    const header = head.readUInt32LE(0) === zstdMagic ? readFrameHeader(head) : undefined
    if (!header) throw new ArchiveUnreadable(`there is no zstd frame at byte ${offset}`)
    let end = offset + header.length
    for (let last = false; !last; ) {
      const block = readBlockHeader(this.#pread(end, blockHeaderBytes, blockHeaderBytes))
      if (!block) throw new ArchiveUnreadable(`the frame at byte ${offset} is damaged`)
      end += blockHeaderBytes + block.length
      last = block.last
    }
    return end + (header.checksum ? 4 : 0)
  }

  #decode(frame: Frame): Buffer {
    const bytes = this.#pread(frame.offset, frame.length, frame.length)
    const isLast = frame.offset + frame.length >= this.#size
    let content: Buffer
    try {
      content = zstdDecompressSync(bytes, { maxOutputLength: frameBytes })
    } catch (error) {
      const tooMuch = isErrno(error, 'ERR_BUFFER_TOO_LARGE')
      throw new ArchiveUnreadable(tooMuch ? notOurs : `the frame at byte ${frame.offset} is damaged`)
    }
    if (content.length !== frameBytes && !isLast) throw new ArchiveUnreadable(notOurs)
    return content
  }

  #pread(offset: number, length: number, atLeast: number): Buffer {
    const bytes = Buffer.allocUnsafe(length)
    const count = readSync(this.#fd, bytes, 0, length, offset)
    if (count < atLeast) throw new ArchiveUnreadable(`it is cut off after ${this.#size} bytes`)
    return bytes.subarray(0, count)
  }
}
