/** The bytes of one append on their way to the end of `uploads/<u>.part`; the upload's hash goes with them. */
import { type FileHandle, open } from 'node:fs/promises'
import { BodyWriter } from './body-writer.ts'
import { requireLength } from './direct-file.ts'
import type { RunningHash } from './hashing/running-hash.ts'

export class PartFile implements AsyncDisposable {
  readonly #file: FileHandle
  readonly #hash: RunningHash
  readonly #writer: BodyWriter

  private constructor(file: FileHandle, path: string, offset: number, hash: RunningHash) {
    this.#file = file
    this.#hash = hash
    this.#writer = new BodyWriter({ file, path, from: offset, follow: () => hash, onWritten: (written) => hash.grow(written) })
    hash.attach(file, offset)
  }

  /** What lies behind `offset` is of nobody's upload: a crash or a failure left it there. */
  static async open(path: string, offset: number, hash: RunningHash): Promise<PartFile> {
    const file = await open(path, 'r+')
    try {
      const { size } = await file.stat()
      if (size < offset) throw new Error(`${path} has ${size} bytes, fewer than the ${offset} that were told`)
      if (size > offset) await file.truncate(offset)
      return new PartFile(file, path, offset, hash)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** End of what the file has, in bytes; after a failed write too. */
  get written(): number {
    return this.#writer.written
  }

  /** Takes a chunk and owns its memory. @returns a promise to wait for before the next chunk, when disk or hash are behind */
  take(chunk: Buffer): Promise<void> | undefined {
    return this.#writer.take(chunk) ?? this.#hash.room()
  }

  /** Waits until everything that was taken is written. @returns what went wrong; `written` is right all the same */
  async flush(): Promise<Error | undefined> {
    const failure = await this.#writer.flush()
    // The hash has bytes that the file has not.
    if (failure !== undefined) this.#hash.attach(this.#file, this.written)
    return failure
  }

  /** What is written so far becomes durable. A failed sync is never tried again. */
  async sync(): Promise<void> {
    const { written } = this
    await this.#file.datasync()
    requireLength(this.#file.fd, written)
  }

  /** Makes the hash of what is written known, where that is quick. Only after `flush`. */
  async know(): Promise<void> {
    await this.#hash.know(this.written)
  }

  /** Takes back what was written behind `offset`. Only after `flush`. */
  async cutTo(offset: number): Promise<void> {
    await this.#hash.detach()
    await this.#file.truncate(offset)
    this.#writer.moveTo(offset)
    this.#hash.attach(this.#file, offset)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.end()
    await this.#hash.detach()
    await this.#file.close().catch(() => undefined)
  }
}
