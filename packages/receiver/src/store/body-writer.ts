/** Writes the chunks of a body: a small one when it is whole; from its first MiB on as a large one. */
import { writevSync } from 'node:fs'
import { giveBack } from '@cis490/shared/node/give-back.ts'
import { type BatchHash, batchChunks, type LargeTarget, LargeWriter } from './large-writer.ts'

export interface BodyTarget extends LargeTarget {
  /** Who hashes what is written; asked when the body turns out to be large. */
  follow(): BatchHash
}

const largeBytes = 1 << 20

export class BodyWriter {
  readonly #target: BodyTarget
  #gathered: Buffer[] = []
  #gatheredBytes = 0
  #written: number
  #writing: Promise<void> | undefined
  #failure: Error | undefined
  #large: LargeWriter | undefined

  constructor(target: BodyTarget) {
    this.#target = target
    this.#written = target.from
  }

  /** End of what the file has, in bytes; after a failed write too. */
  get written(): number {
    return this.#large?.written ?? this.#written
  }

  /** All chunks of a small body, until they are written. */
  get gathered(): readonly Buffer[] {
    return this.#gathered
  }

  /** Whether it has come so far. */
  get large(): boolean {
    return this.#large !== undefined
  }

  /** Whether the page cache is left out, so that a sync finds nothing left to write. */
  get direct(): boolean {
    return this.#large?.direct ?? false
  }

  /** What went wrong; nothing is written after that. */
  get failure(): Error | undefined {
    return this.#failure ?? this.#large?.failure
  }

  /** From here on no more is written. */
  fail(error: Error): void {
    if (this.#large) this.#large.fail(error)
    else this.#failure ??= error
  }

  /** Takes a chunk and owns its memory. @returns a promise to wait for before the next chunk, when disk or hash are behind. @throws the failure */
  take(chunk: Buffer): Promise<void> | undefined {
    if (this.#large) return this.#large.take(chunk)
    if (this.#failure !== undefined) throw this.#failure
    this.#gathered.push(chunk)
    this.#gatheredBytes += chunk.length
    const small = this.#gatheredBytes < largeBytes && this.#gathered.length < batchChunks
    return small ? undefined : this.#goOnLarge()
  }

  #goOnLarge(): Promise<void> | undefined {
    const large = new LargeWriter({ ...this.#target, from: this.#written }, this.#target.follow())
    this.#large = large
    let wait: Promise<void> | undefined
    for (const chunk of this.#gathered) wait = large.take(chunk)
    this.#gathered = []
    return wait
  }

  /** Waits until everything that was taken is written. @returns what went wrong */
  async flush(): Promise<Error | undefined> {
    if (this.#large) return await this.#large.flush()
    this.#writing = this.#writeGathered().catch((error: unknown) => this.fail(error as Error))
    await this.#writing
    this.#giveGatheredBack()
    return this.#failure
  }

  /**
   * The same for a small body: to the page cache at once, which takes less than to hand it to another thread.
   * @returns its chunks, which are the caller's to give back. @throws what went wrong
   */
  flushAtOnce(): readonly Buffer[] {
    const chunks = this.#gathered
    try {
      for (let rest: readonly Buffer[] = chunks; rest.length > 0; )
        rest = this.#after(rest, writevSync(this.#target.file.fd, rest, this.#written))
    } catch (error) {
      this.fail(error as Error)
      throw error
    }
    this.#gathered = []
    this.#gatheredBytes = 0
    return chunks
  }

  /** What is taken next goes there. Only after `flush`. */
  moveTo(offset: number): void {
    this.#written = offset
    this.#large?.moveTo(offset)
  }

  /** Waits until nothing is being written. Nothing can be taken from here on. */
  async end(): Promise<void> {
    await this.#writing
    await this.#large?.end()
  }

  async #writeGathered(): Promise<void> {
    for (let rest: readonly Buffer[] = this.#gathered; rest.length > 0; ) {
      const { bytesWritten } = await this.#target.file.writev(rest, this.#written)
      rest = this.#after(rest, bytesWritten)
    }
  }

  /** A disk that is nearly full takes a part of what it is given. @returns what it did not take */
  #after(chunks: readonly Buffer[], bytesWritten: number): readonly Buffer[] {
    this.#written += bytesWritten
    this.#target.onWritten(this.#written)
    return after(chunks, bytesWritten)
  }

  #giveGatheredBack(): void {
    for (const chunk of this.#gathered) giveBack(chunk)
    this.#gathered = []
    this.#gatheredBytes = 0
  }
}

function after(chunks: readonly Buffer[], bytes: number): readonly Buffer[] {
  let left = bytes
  let k = 0
  for (; k < chunks.length && left >= (chunks[k] as Buffer).length; k++) left -= (chunks[k] as Buffer).length
  return left === 0 ? chunks.slice(k) : [(chunks[k] as Buffer).subarray(left), ...chunks.slice(k + 1)]
}
