/** Gathers the chunks of a body into batches of about 1 MiB and writes them one after the other; a thread hashes each from the same memory. */
import { writevSync } from 'node:fs'
import { giveBack } from '@cis490/shared/node/give-back.ts'
import type { WritableFile } from './body-file.ts'
import { DirectFile } from './direct-file.ts'
import { pageBytes, pieceBytes } from './hashing/piece-memory.ts'
import type { RunningHash } from './hashing/running-hash.ts'

export const batchBytes = pieceBytes
/** Who sends single bytes does not fill the memory with their wrappings. */
const batchChunks = 1024
/** Batches that wait for a piece of memory. */
const mostBatches = 2

export interface BatchTarget {
  readonly file: WritableFile
  /** Of the file, until the writer has ended. */
  readonly path: string
  /** Where the first batch goes. */
  readonly from: number
  /** Who hashes what is written; asked when the first batch is full. */
  follow(): Large['hash']
  /** Told the new end of what the file has. */
  onWritten(written: number): void
}

/** What only a body of several batches needs. */
interface Large {
  readonly file: DirectFile
  readonly hash: Pick<RunningHash, 'pieces' | 'hand'>
}

export class BatchWriter {
  readonly #target: BatchTarget
  #gathered: Buffer[] = []
  #gatheredBytes = 0
  #written: number
  #large: Large | undefined
  #running = false
  #writing: Promise<void> | undefined
  #flushing = false
  #room: PromiseWithResolvers<void> | undefined
  #failure: Error | undefined

  constructor(target: BatchTarget) {
    this.#target = target
    this.#written = target.from
  }

  /** End of what the file has, in bytes; after a failed write too. */
  get written(): number {
    return this.#written
  }

  /** What is not yet in a batch. */
  get gathered(): readonly Buffer[] {
    return this.#gathered
  }

  /** Whether a batch was full already. */
  get started(): boolean {
    return this.#large !== undefined
  }

  /** Whether batches go past the page cache, so that a sync finds nothing left to write. */
  get direct(): boolean {
    return this.#large?.file.direct ?? false
  }

  /** What went wrong; nothing is written after that. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** From here on no more is written. */
  fail(error: Error): void {
    this.#failure ??= error
  }

  /** Takes a chunk and owns its memory. @returns a promise to wait for before the next chunk, when the disk is behind. @throws the failure */
  take(chunk: Buffer): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure
    this.#gathered.push(chunk)
    this.#gatheredBytes += chunk.length
    if (this.#batches < 1) return undefined
    this.#run()
    if (this.#batches < mostBatches) return undefined
    this.#room ??= Promise.withResolvers()
    return this.#room.promise
  }

  get #batches(): number {
    return Math.max(this.#gatheredBytes / batchBytes, this.#gathered.length / batchChunks)
  }

  /** Waits until everything that was taken is written. @returns what went wrong */
  async flush(): Promise<Error | undefined> {
    if (this.#large) {
      this.#flushing = true
      this.#run()
      await this.#writing
      this.#flushing = false
    } else await this.#writeGathered()
    return this.#failure
  }

  /** The same for a small body that is gathered whole: to the page cache at once, which takes less than to hand it to another thread. */
  flushAtOnce(): Error | undefined {
    try {
      for (let rest: readonly Buffer[] = this.#gathered; rest.length > 0; ) {
        const bytesWritten = writevSync(this.#target.file.fd, rest, this.#written)
        this.#advance(bytesWritten)
        rest = after(rest, bytesWritten)
      }
    } catch (error) {
      this.fail(error as Error)
    }
    this.#giveGatheredBack()
    return this.#failure
  }

  /** What is taken next goes there. Only after `flush`. */
  moveTo(offset: number): void {
    this.#written = offset
  }

  /** Waits until nothing is being written. Nothing can be taken from here on. */
  async end(): Promise<void> {
    await this.#writing
    this.#large?.file.close()
  }

  #run(): void {
    if (this.#running) return
    const { file, path, follow } = this.#target
    this.#large ??= { file: new DirectFile(file, path), hash: follow() }
    this.#running = true
    this.#writing = this.#writeBatches(this.#large)
  }

  async #writeBatches(large: Large): Promise<void> {
    while (this.#failure === undefined && (this.#batches >= 1 || (this.#flushing && this.#gatheredBytes > 0)))
      await this.#writeBatch(large).catch((error: unknown) => this.fail(error as Error))
    if (this.#failure !== undefined) this.#giveGatheredBack()
    this.#giveRoom()
    this.#running = false
  }

  /** The piece is given back when it is both written and hashed. */
  async #writeBatch({ file, hash }: Large): Promise<void> {
    const piece = await hash.pieces.take()
    const batch = this.#fill(piece)
    const read = hash.hand(batch, this.#written)
    try {
      await this.#write(file, batch)
    } finally {
      if (read) void read.then(() => hash.pieces.give(piece))
      else hash.pieces.give(piece)
    }
  }

  /** Whole pages of the file while there are more to come. @returns what of the piece is filled: it lies there as in the file's pages */
  #fill(piece: Buffer): Buffer {
    const begin = this.#written % pageBytes
    let end = begin + Math.min(this.#gatheredBytes, piece.length - begin)
    if (!this.#flushing && end >= pageBytes) end -= end % pageBytes
    for (let at = begin; at < end; ) at += this.#copyFirst(piece, at, end)
    if (this.#batches < mostBatches) this.#giveRoom()
    return piece.subarray(begin, end)
  }

  #copyFirst(piece: Buffer, at: number, end: number): number {
    const chunk = this.#gathered[0] as Buffer
    const copied = chunk.copy(piece, at, 0, end - at)
    this.#gatheredBytes -= copied
    if (copied < chunk.length) this.#gathered[0] = chunk.subarray(copied)
    else giveBack(this.#gathered.shift() as Buffer)
    return copied
  }

  async #write(file: DirectFile, batch: Buffer): Promise<void> {
    for (let rest = batch; rest.length > 0; ) {
      const bytesWritten = await file.write(rest, this.#written)
      this.#advance(bytesWritten)
      rest = rest.subarray(bytesWritten)
    }
  }

  /** A body of less than a batch. */
  async #writeGathered(): Promise<void> {
    this.#writing = this.#writeChunks(this.#gathered).catch((error: unknown) => this.fail(error as Error))
    await this.#writing
    this.#giveGatheredBack()
  }

  async #writeChunks(chunks: readonly Buffer[]): Promise<void> {
    for (let rest = chunks; rest.length > 0; ) {
      const { bytesWritten } = await this.#target.file.writev(rest, this.#written)
      this.#advance(bytesWritten)
      rest = after(rest, bytesWritten)
    }
  }

  /** After each part: where the next one fails, this is the end. */
  #advance(bytes: number): void {
    this.#written += bytes
    this.#target.onWritten(this.#written)
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

/** A disk that is nearly full takes a part of what it is given. @returns what it did not take */
function after(chunks: readonly Buffer[], bytes: number): readonly Buffer[] {
  let left = bytes
  let k = 0
  for (; k < chunks.length && left >= (chunks[k] as Buffer).length; k++) left -= (chunks[k] as Buffer).length
  return left === 0 ? chunks.slice(k) : [(chunks[k] as Buffer).subarray(left), ...chunks.slice(k + 1)]
}
