/** Writes a body of several batches, one after the other, past the page cache where that can be; a thread hashes each from the same memory. */
import { giveBack } from '@cis490/shared/node/give-back.ts'
import { Batch } from './batch.ts'
import type { WritableFile } from './body-file.ts'
import { DirectFile } from './direct-file.ts'
import { pieceBytes } from './hashing/piece-memory.ts'
import type { RunningHash } from './hashing/running-hash.ts'

/** Who sends single bytes does not fill the memory with their wrappings. */
export const batchChunks = 1024
/** Batches that wait to be written. */
const mostBatches = 2

export type BatchHash = Pick<RunningHash, 'pieces' | 'hand'>

export interface LargeTarget {
  readonly file: WritableFile
  /** Of the file, until the writer has ended. */
  readonly path: string
  /** Where the first batch goes. */
  readonly from: number
  /** Told the new end of what the file has. */
  onWritten(written: number): void
}

/** A batch that the hash has, or has had. */
interface Handed {
  readonly batch: Batch
  /** Resolves when it is hashed; undefined where nobody does that from memory. */
  readonly read: Promise<void> | undefined
}

/** @returns how many batches chunks would make */
function batchesOf(bytes: number, chunks: number): number {
  return Math.max(bytes / pieceBytes, chunks / batchChunks)
}

export class LargeWriter {
  readonly #target: LargeTarget
  readonly #hash: BatchHash
  readonly #file: DirectFile
  /** Chunks that are in no batch, because there is no memory to spare. */
  #gathered: Buffer[] = []
  #gatheredBytes = 0
  #filling: Batch | undefined
  #full: Handed[] = []
  /** Where the next batch begins. */
  #batched: number
  #written: number
  #running = false
  #writing: Promise<void> | undefined
  #flushing = false
  #room: PromiseWithResolvers<void> | undefined
  #failure: Error | undefined

  constructor(target: LargeTarget, hash: BatchHash) {
    this.#target = target
    this.#hash = hash
    this.#file = new DirectFile(target.file, target.path)
    this.#batched = target.from
    this.#written = target.from
  }

  /** End of what the file has, in bytes; after a failed write too. */
  get written(): number {
    return this.#written
  }

  /** What went wrong; nothing is written after that. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Whether the page cache is left out, so that a sync finds nothing left to write. */
  get direct(): boolean {
    return this.#file.direct
  }

  /** From here on no more is written. */
  fail(error: Error): void {
    this.#failure ??= error
  }

  /** Takes a chunk and owns its memory. @returns a promise to wait for before the next chunk, when disk or hash are behind. @throws the failure */
  take(chunk: Buffer): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure
    this.#gathered.push(chunk)
    this.#gatheredBytes += chunk.length
    this.#fillSpare()
    if (this.#waiting < 1) return undefined
    this.#run()
    if (this.#waiting < mostBatches) return undefined
    this.#room ??= Promise.withResolvers()
    return this.#room.promise
  }

  /** Waits until everything that was taken is written. @returns what went wrong */
  async flush(): Promise<Error | undefined> {
    this.#handFilling()
    this.#flushing = true
    this.#run()
    await this.#writing
    this.#flushing = false
    return this.#failure
  }

  /** What is taken next goes there. Only after `flush`. */
  moveTo(offset: number): void {
    this.#written = offset
    this.#batched = offset
  }

  /** Waits until nothing is being written. Nothing can be taken from here on. */
  async end(): Promise<void> {
    await this.#writing
    if (this.#filling) this.#hash.pieces.give(this.#filling.piece)
    this.#filling = undefined
    this.#file.close()
  }

  /** Batches that are there to be written, or could be made. */
  get #waiting(): number {
    return this.#full.length + batchesOf(this.#gatheredBytes, this.#gathered.length)
  }

  /** Copies chunks while the processor's cache still has them, where there is memory to spare. */
  #fillSpare(): void {
    while (this.#gathered.length > 0) {
      this.#filling ??= this.#spare()
      if (!this.#filling) return
      this.#addFirst(this.#filling)
      if (this.#filling.full) this.#handFilling()
    }
  }

  #spare(): Batch | undefined {
    const piece = this.#hash.pieces.takeSpare()
    return piece && new Batch(piece, this.#batched)
  }

  #addFirst(batch: Batch, most?: number): void {
    const chunk = this.#gathered[0] as Buffer
    const copied = batch.add(chunk, most)
    this.#batched += copied
    this.#gatheredBytes -= copied
    if (copied < chunk.length) this.#gathered[0] = chunk.subarray(copied)
    else giveBack(this.#gathered.shift() as Buffer)
  }

  #handFilling(): void {
    if (this.#filling) this.#hand(this.#filling)
    this.#filling = undefined
  }

  #hand(batch: Batch): void {
    this.#full.push({ batch, read: this.#hash.hand(batch.bytes, batch.from) })
  }

  #run(): void {
    if (this.#running) return
    this.#running = true
    this.#writing = this.#writeBatches()
  }

  async #writeBatches(): Promise<void> {
    while (this.#waiting >= 1 || (this.#flushing && this.#gatheredBytes > 0)) {
      if (this.#failure !== undefined) this.#giveGatheredBack()
      else if (this.#full.length === 0) await this.#batchGathered().catch((error: unknown) => this.fail(error as Error))
      const next = this.#full.shift()
      if (this.#waiting < mostBatches) this.#giveRoom()
      if (next) await this.#writeAndFree(next).catch((error: unknown) => this.fail(error as Error))
    }
    this.#giveRoom()
    this.#running = false
  }

  /** Waits for memory, and fills it: only whole pages of the file, while there are more to come. */
  async #batchGathered(): Promise<void> {
    const batch = new Batch(await this.#hash.pieces.take(), this.#batched)
    // There was memory to spare meanwhile: what was gathered is in other batches.
    if (this.#gatheredBytes === 0) return this.#hash.pieces.give(batch.piece)
    const bytes = this.#flushing ? this.#gatheredBytes : batch.toPage(this.#gatheredBytes)
    while (batch.length < bytes && !batch.full) this.#addFirst(batch, bytes - batch.length)
    this.#hand(batch)
  }

  /** The memory is free again when it is both written and hashed. */
  async #writeAndFree({ batch, read }: Handed): Promise<void> {
    const { pieces } = this.#hash
    try {
      if (this.#failure === undefined) await this.#write(batch)
    } finally {
      if (read) void read.then(() => pieces.give(batch.piece))
      else pieces.give(batch.piece)
    }
  }

  async #write({ bytes, from }: Batch): Promise<void> {
    if (from !== this.#written) throw new Error(`a batch for ${from} came when the file had ${this.#written} bytes`)
    for (let rest = bytes; rest.length > 0; ) {
      const bytesWritten = await this.#file.write(rest, this.#written)
      rest = rest.subarray(bytesWritten)
      // After each part: where the next one fails, this is the end.
      this.#written += bytesWritten
      this.#target.onWritten(this.#written)
    }
  }

  #giveGatheredBack(): void {
    for (const chunk of this.#gathered) giveBack(chunk)
    this.#gathered = []
    this.#gatheredBytes = 0
  }

  #giveRoom(): void {
    this.#room?.resolve()
    this.#room = undefined
  }
}
