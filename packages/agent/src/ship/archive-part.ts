/** A piece of an archive as a body, at the pace that is allowed. */
import { open } from 'node:fs/promises'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { Pace } from './pace.ts'

/** The archive is not what its sidecar says, or the disk does not give it. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
}

export interface Part {
  readonly path: string
  /** Of the whole archive, as its sidecar says. */
  readonly bytes: number
  readonly from: number
  /** Exclusive. */
  readonly to: number
  /** It cannot end early: its length was told. */
  readonly whole: boolean
  /** Told the bytes that were handed to the network. */
  readonly onProgress: (bytes: number) => void
}

/** Bytes that are read at once. */
const block = 1024 * 1024

/** @throws ArchiveError also when the file is longer or shorter than it should be */
export async function* readPart(part: Part, pace: Pace, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks(part)) {
    for (let at = 0; at < chunk.length; ) {
      if (!part.whole && pace.mustYield()) return
      const bytes = chunk.subarray(at, at + pace.piece)
      at += bytes.length
      await pace.take(bytes.length, signal)
      part.onProgress(bytes.length)
      yield bytes
    }
  }
}

async function* chunks({ path, bytes, from, to }: Part): AsyncGenerator<Uint8Array> {
  try {
    await using file = await open(path)
    const { size } = await file.stat()
    if (size !== bytes) throw new Error(`it has ${size} bytes, and its sidecar says ${bytes}`)
    for (let at = from; at < to; ) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(block, to - at)), 0, undefined, at)
      if (bytesRead === 0) throw new Error(`it ends at ${at} bytes`)
      yield buffer.subarray(0, bytesRead)
      at += bytesRead
    }
  } catch (error) {
    throw new ArchiveError(`cannot read the archive: ${messageOf(error)}`, { cause: error })
  }
}
