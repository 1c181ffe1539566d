/** A file of independent zstd frames: fixed blocks of the input are compressed in parallel and written in order, hashed on the way. */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { writeAll } from '@cis490/shared/node/durable.ts'
import { giveBack } from '@cis490/shared/node/give-back.ts'
import { compress } from '@mongodb-js/zstd'

/** Bytes of input in one frame. A reader may hold a whole frame in memory. */
export const frameBytes = 1 << 20
/** Enough to keep a few cores at work; memory stays flat whatever the size of the input. */
const inFlight = 4

export class FrameWriter {
  readonly #file: FileHandle
  readonly #hash = createHash('sha256')
  readonly #pending: { readonly block: Buffer; readonly frame: Promise<Buffer> }[] = []
  /** Blocks whose frame is written, to be filled again. */
  readonly #free: Buffer[] = []
  #block: Buffer = Buffer.allocUnsafeSlow(frameBytes)
  #filled = 0
  #bytes = 0

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** Copies the bytes into the stream. */
  async write(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const count = bytes.copy(this.#block, this.#filled, done)
      done += count
      await this.#advance(count)
    }
  }

  /** Lets `read` fill the block in place. @returns what it returned: the bytes that it put there, 0 at its end */
  async fill(max: number, read: (into: Buffer) => Promise<number>): Promise<number> {
    const room = this.#block.subarray(this.#filled, Math.min(frameBytes, this.#filled + max))
    const count = await read(room)
    await this.#advance(count)
    return count
  }

  /** Writes out what is left. @returns size and hash of the whole file */
  async end(): Promise<{ bytes: number; sha256: string }> {
    if (this.#filled > 0) this.#launch(this.#block.subarray(0, this.#filled))
    while (this.#pending.length > 0) await this.#writeOldest()
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex') }
  }

  async #advance(count: number): Promise<void> {
    this.#filled += count
    if (this.#filled < frameBytes) return
    this.#launch(this.#block)
    this.#filled = 0
    if (this.#pending.length >= inFlight) await this.#writeOldest()
    this.#block = this.#free.pop() ?? Buffer.allocUnsafeSlow(frameBytes)
  }

  #launch(block: Buffer): void {
    const frame = compress(block)
    // Its failure is thrown where it is awaited; until then it must not count as unhandled.
    frame.catch(() => undefined)
    this.#pending.push({ block, frame })
  }

  async #writeOldest(): Promise<void> {
    const oldest = this.#pending.shift()
    if (oldest === undefined) return
    const frame = await oldest.frame
    this.#free.push(oldest.block)
    this.#hash.update(frame)
    this.#bytes += frame.length
    await writeAll(this.#file, frame)
    giveBack(frame)
  }
}
