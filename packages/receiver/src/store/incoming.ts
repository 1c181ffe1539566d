/**
 * A body on its way in: `incoming/<uuid>.part`, hashed while it is written.
 * Chunks are gathered into 1 MiB writes; the source is paused while one batch is written and the next is full.
 */
import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { removeFile, writeAll, writeNew } from '@cis490/shared/node/durable.ts'
import { giveBack } from '@cis490/shared/node/give-back.ts'

const batchBytes = 1 << 20

export class Incoming implements AsyncDisposable {
  readonly path: string
  readonly sidecarPath: string
  readonly #file: FileHandle
  readonly #hash = createHash('sha256')
  #batch: Buffer[] = []
  #batched = 0
  #bytes = 0
  #writing: Promise<void> | undefined
  #failure: Error | undefined

  private constructor(path: string, sidecarPath: string, file: FileHandle) {
    this.path = path
    this.sidecarPath = sidecarPath
    this.#file = file
  }

  static async create(folder: string): Promise<Incoming> {
    const path = join(folder, `${randomUUID()}.part`)
    return new Incoming(path, path.replace(/part$/, 'json'), await open(path, 'wx', 0o640))
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Takes a chunk. @returns a promise to wait for before the next chunk, when a full batch waits for the disk */
  take(chunk: Buffer): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure
    this.#hash.update(chunk)
    this.#bytes += chunk.length
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
    this.#writing = writeAll(this.#file, bytes)
      .then(() => giveBack(bytes))
      .catch((error: unknown) => {
        this.#failure ??= error as Error
      })
      .finally(() => {
        this.#writing = undefined
      })
  }

  /** Writes what is left. @returns the hash of all bytes, lower-case hex */
  async finish(): Promise<string> {
    if (this.#writing) await this.#writing
    if (this.#batched > 0) this.#startWrite()
    if (this.#writing) await this.#writing
    if (this.#failure !== undefined) throw this.#failure
    return this.#hash.digest('hex')
  }

  /** Makes the bytes and the sidecar durable, under their temporary names. A failed sync is never tried again. */
  async sync(sidecar: string): Promise<void> {
    const both = await Promise.allSettled([this.#file.sync(), writeNew(this.sidecarPath, sidecar)])
    // Both have ended before anything is taken away: a sidecar still being written would outlive the clean-up.
    for (const one of both) if (one.status === 'rejected') throw one.reason as Error
  }

  /** Removes whatever still has a temporary name. Never throws: the episode may be stored by now, and what stays is removed at the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#writing) await this.#writing
    await this.#file.close().catch(() => undefined)
    await removeFile(this.path).catch(() => undefined)
    await removeFile(this.sidecarPath).catch(() => undefined)
  }
}
