/** A file of independent zstd frames: fixed blocks of the input are compressed in parallel, and written and hashed in order. */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { writeAll } from '@cis490/shared/node/durable.ts'
import { giveBack } from '@cis490/shared/node/give-back.ts'
import { Compressor } from './compressor.ts'

/** Bytes of input in one frame. A reader may hold a whole frame in memory. */
export const frameBytes = 1 << 20
/** Blocks whose frame is not written yet: the compressor stays busy while one is hashed and written, and memory stays flat. The bytes do not depend on it. */
const defaultInFlight = 5
/** Bytes that are written before the disk is asked to begin with them: the sync at the end then finds little left to do. */
const flushBytes = 64 << 20

export class FrameWriter {
  readonly #file: FileHandle
  readonly #inFlight: number
  readonly #hash = createHash('sha256')
  readonly #compressor: Compressor
  /** In order; settles when the frame is in the file. */
  readonly #pending: Promise<void>[] = []
  /** Blocks whose frame is written, to be filled again. */
  readonly #free: Buffer[] = []
  #block: Buffer = Buffer.allocUnsafeSlow(frameBytes)
  #filled = 0
  #bytes = 0
  #flushed = 0
  /** Never tried again: what a failed sync left behind is unknown. */
  #flush: Promise<void> = Promise.resolve()

  constructor(file: FileHandle, inFlight = defaultInFlight, compressor = new Compressor()) {
    this.#file = file
    this.#inFlight = inFlight
    this.#compressor = compressor
  }

  /** Copies the bytes into the stream. @returns what to wait for before the next call, if there is a need */
  write(bytes: Buffer): Promise<void> | undefined {
    const count = bytes.copy(this.#block, this.#filled)
    const wait = this.advance(count)
    if (count === bytes.length) return wait
    const rest = bytes.subarray(count)
    return wait ? wait.then(() => this.write(rest)) : this.write(rest)
  }

  /** Where the next bytes go, at most `max`, at least one: to be filled in place, and then told by `advance`. */
  room(max: number): Buffer {
    return this.#block.subarray(this.#filled, Math.min(frameBytes, this.#filled + max))
  }

  /** `count` bytes were put into the room. @returns what to wait for before the next call, if there is a need */
  advance(count: number): Promise<void> | undefined {
    this.#filled += count
    if (this.#filled < frameBytes) return undefined
    this.#launch(this.#block)
    this.#filled = 0
    return this.#pending.length < this.#inFlight ? this.#nextBlock() : this.#pending.shift()?.then(() => this.#nextBlock())
  }

  /** Writes out what is left. @returns size and hash of the whole file */
  async end(): Promise<{ bytes: number; sha256: string }> {
    if (this.#filled > 0) this.#launch(this.#block.subarray(0, this.#filled))
    await this.settle()
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex') }
  }

  /** Nothing touches the file any more. @throws the first failure */
  async settle(): Promise<void> {
    const results = await Promise.allSettled(this.#pending.splice(0))
    results.push(...(await Promise.allSettled([this.#flush])))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  #nextBlock(): undefined {
    this.#block = this.#free.pop() ?? Buffer.allocUnsafeSlow(frameBytes)
  }

  #launch(block: Buffer): void {
    const compressed = this.#compressor.compress(block)
    const before = this.#pending.at(-1) ?? Promise.resolve()
    const written = this.#append(block, compressed, before)
    // Its failure is thrown where it is awaited; until then it must not count as unhandled.
    compressed.catch(() => undefined)
    written.catch(() => undefined)
    this.#pending.push(written)
  }

  async #append(block: Buffer, compressed: Promise<Buffer>, before: Promise<void>): Promise<void> {
    await before
    const frame = await compressed
    this.#free.push(block)
    // A large one is written on another thread while this one hashes.
    const written = writeAll(this.#file, frame)
    this.#hash.update(frame)
    await written
    this.#bytes += frame.length
    giveBack(frame)
    if (this.#bytes - this.#flushed >= flushBytes) await this.#beginFlush()
  }

  /** Beside the frames that follow; waits for the one before, so that what is not on the disk stays bounded. */
  async #beginFlush(): Promise<void> {
    await this.#flush
    this.#flushed = this.#bytes
    this.#flush = this.#file.datasync()
    this.#flush.catch(() => undefined)
  }
}
