/** A body on its way in: `incoming/<uuid>.part`. A small one is hashed here; a large one beside its writing, by whoever follows the file. */
import { createHash, randomUUID } from 'node:crypto'
import { unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { atOnceBytes, removeFile, syncPlain, writeNew } from '@cis490/shared/node/durable.ts'
import { giveBack } from '@cis490/shared/node/give-back.ts'
import { BodyFile } from './body-file.ts'
import { BodyWriter } from './body-writer.ts'
import { requireLength } from './direct-file.ts'
import type { HashPool } from './hashing/hash-pool.ts'
import type { RunningHash } from './hashing/running-hash.ts'

/** Written back on the way, so that the sync at the end does not have to wait for all of a long body. */
const syncEvery = 64 << 20

export class Incoming implements AsyncDisposable {
  readonly path: string
  readonly sidecarPath: string
  readonly #file: BodyFile
  readonly #hashes: HashPool
  readonly #writer: BodyWriter
  /** From the first batch that is written before the body's end. */
  #following: RunningHash | undefined
  #bytes = 0
  #syncedTo = 0
  #syncing: Promise<void> | undefined
  #synced: Promise<void> | undefined
  #onDisk = false

  private constructor(path: string, file: BodyFile, hashes: HashPool) {
    this.path = path
    this.sidecarPath = path.replace(/part$/, 'json')
    this.#file = file
    this.#hashes = hashes
    this.#writer = new BodyWriter({
      file,
      path,
      from: 0,
      follow: () => this.#follow(),
      onWritten: (written) => this.#onWritten(written),
    })
  }

  /** @throws the system's error where there can be no new file */
  static create(folder: string, hashes: HashPool): Incoming {
    const path = join(folder, `${randomUUID()}.part`)
    return new Incoming(path, BodyFile.create(path), hashes)
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Takes a chunk and owns its memory. @returns a promise to wait for before the next chunk, when disk or hash are behind */
  take(chunk: Buffer): Promise<void> | undefined {
    this.#bytes += chunk.length
    const written = this.#writer.take(chunk)
    return written ?? this.#following?.room()
  }

  #follow(): RunningHash {
    this.#following = this.#hashes.running()
    this.#following.attach(this.#file, 0)
    return this.#following
  }

  #onWritten(written: number): void {
    this.#following?.grow(written)
    if (this.#writer.direct || this.#syncing || written - this.#syncedTo < syncEvery) return
    this.#syncedTo = written
    this.#syncing = this.#file
      .datasync()
      // What it could not write is lost, and no later sync would tell of it.
      .catch((error: unknown) => this.#writer.fail(error as Error))
      .finally(() => {
        this.#syncing = undefined
      })
  }

  /**
   * Writes what is left.
   * @param claimed hash that the client told
   * @param look sees all chunks of a small one before their memory is given back
   * @returns the hash of all bytes, lower-case hex. @throws what the disk said, before bytes that it lost are taken for the client's
   */
  async finish(claimed: string, look?: (chunks: readonly Buffer[]) => void): Promise<string> {
    const { gathered, large } = this.#writer
    if (!large && this.#bytes <= atOnceBytes) return this.#finishSmall(look)
    const writing = this.#writer.flush()
    const here = large ? undefined : hashOf(gathered)
    const failure = await writing
    if (failure !== undefined) throw failure
    if (here !== undefined) return here
    const synced = this.onDisk()
    const sha256 = await this.#following?.digest(this.#bytes)
    if (sha256 !== claimed) await synced
    return sha256 ?? ''
  }

  #finishSmall(look?: (chunks: readonly Buffer[]) => void): string {
    const chunks = this.#writer.flushAtOnce()
    const sha256 = hashOf(chunks)
    look?.(chunks)
    for (const chunk of chunks) giveBack(chunk)
    return sha256
  }

  /** Resolves when the bytes are on the disk. Once: a failed sync is never tried again. */
  onDisk(): Promise<void> {
    if (this.#synced) return this.#synced
    this.#synced = this.#syncAll()
    this.#synced.catch(() => undefined)
    return this.#synced
  }

  async #syncAll(): Promise<void> {
    await this.#file.sync()
    await this.#syncing
    if (this.#writer.failure !== undefined) throw this.#writer.failure
    if (this.#following) requireLength(this.#file.fd, this.#bytes)
    this.#onDisk = true
  }

  /** Makes the bytes and the sidecar durable, under their temporary names. */
  async sync(sidecar: string): Promise<void> {
    try {
      // The sidecar is there before the bytes are synced: made meanwhile it might have to wait for a block of the folder.
      await writeNew(this.sidecarPath, sidecar, 0o640, (fd) => {
        void this.onDisk()
        return syncPlain(fd)
      })
    } finally {
      // Both have ended before anything is taken away: a sidecar still being written would outlive the clean-up.
      await this.onDisk()
    }
  }

  /** Removes whatever still has a temporary name. Never throws: the episode may be stored by now, and what stays is removed at the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    const small = !this.#writer.large && this.#bytes <= atOnceBytes
    if (!this.#onDisk || !small) {
      await this.#writer.end()
      await Promise.allSettled([this.#syncing, this.#synced, this.#following?.detach()])
      this.#following?.forget()
    }
    if (small) this.#clearAtOnce()
    else await Promise.allSettled([this.#close(), removeFile(this.path), removeFile(this.sidecarPath)])
  }

  /** No large body loses its last name by it, and no thread has the file any more. */
  #clearAtOnce(): void {
    attempt(() => void this.#file.close()?.catch(() => undefined))
    attempt(() => unlinkSync(this.path))
    attempt(() => unlinkSync(this.sidecarPath))
  }

  async #close(): Promise<void> {
    await this.#file.close()
  }
}

function attempt(act: () => void): void {
  try {
    act()
  } catch {
    // What stays is removed at the next start.
  }
}

function hashOf(chunks: readonly Buffer[]): string {
  const hash = createHash('sha256')
  for (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}
