/** The bytes of one append on their way to the end of `uploads/<u>.part`, gathered into 1 MiB writes and hashed. */
import { type FileHandle, open } from 'node:fs/promises'
import { giveBack } from '@cis490/shared/node/give-back.ts'
import type { PrefixHash } from './prefix-hash.ts'

const batchBytes = 1 << 20

export class PartFile implements AsyncDisposable {
  readonly #file: FileHandle
  readonly #hash: PrefixHash
  #batch: Buffer[] = []
  #batched = 0
  /** Where the next batch goes. */
  #next: number
  #written: number
  #writing: Promise<void> | undefined
  #failure: Error | undefined

  private constructor(file: FileHandle, offset: number, hash: PrefixHash) {
    this.#file = file
    this.#hash = hash
    this.#next = offset
    this.#written = offset
    hash.follow(file, () => this.#written)
  }

  /** What lies behind `offset` is of nobody's upload: a crash or a failure left it there. */
  static async open(path: string, offset: number, hash: PrefixHash): Promise<PartFile> {
    const file = await open(path, 'r+')
    try {
      const { size } = await file.stat()
      if (size < offset) throw new Error(`${path} has ${size} bytes, fewer than the ${offset} that were told`)
      if (size > offset) await file.truncate(offset)
      return new PartFile(file, offset, hash)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** End of what the file has, in bytes; after a failed write too. */
  get written(): number {
    return this.#written
  }

  /** Takes a chunk. @returns a promise to wait for before the next chunk, when a full batch waits for the disk */
  take(chunk: Buffer): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure
    this.#batch.push(chunk)
    this.#batched += chunk.length
    if (this.#batched < batchBytes) return undefined
    if (this.#writing) return this.#writing.then(() => this.#startWrite())
    this.#startWrite()
    return undefined
  }

  #startWrite(): void {
    const bytes = Buffer.concat(this.#batch, this.#batched)
    this.#batch = []
    this.#batched = 0
    this.#hash.update(bytes, this.#next)
    this.#next += bytes.length
    this.#writing = this.#write(bytes)
      .then(() => giveBack(bytes))
      .catch((error: unknown) => {
        this.#failure ??= error as Error
      })
      .finally(() => {
        this.#writing = undefined
        this.#hash.follow(this.#file, () => this.#written)
      })
  }

  async #write(bytes: Buffer): Promise<void> {
    if (this.#failure !== undefined) return
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#written)
      done += bytesWritten
      this.#written += bytesWritten
    }
  }

  /** Waits until everything that was taken is written. @returns what went wrong; `written` is right all the same */
  async flush(): Promise<Error | undefined> {
    if (this.#writing) await this.#writing
    if (this.#batched > 0) this.#startWrite()
    if (this.#writing) await this.#writing
    // A batch that did not get in whole was hashed whole.
    if (this.#failure !== undefined) this.#hash.rewind(this.#written)
    return this.#failure
  }

  /** What is written so far becomes durable. A failed sync is never tried again. */
  async sync(): Promise<void> {
    await this.#file.datasync()
  }

  /** Takes back what was written behind `offset`. Only after `flush`. */
  async cutTo(offset: number): Promise<void> {
    await this.#hash.stop()
    await this.#file.truncate(offset)
    this.#next = offset
    this.#written = offset
    this.#hash.rewind(offset)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#writing) await this.#writing
    await this.#hash.stop()
    await this.#file.close().catch(() => undefined)
  }
}
