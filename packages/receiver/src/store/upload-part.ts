/** One append to an upload: what it takes becomes the upload's offset when it is settled, or is taken back. */
import { PartFile } from './part-file.ts'
import { isNoRoom, type Upload, UploadLost } from './upload.ts'

/** A long append is settled on its way, so that a crash costs no more than this; whichever comes first. */
export const settleBytes = 64 << 20
const settleMs = 5000
/** What makes way for the state on a full disk. */
const wayBytes = 1 << 20

export interface PartOptions {
  /** ms that an upload lives after its last progress */
  readonly maxAgeMs: number
  /** Epoch milliseconds. */
  now(): number
  /** Bytes after which the offset is moved on the way; undefined where all of the append may be taken back at its end. */
  readonly settleBytes: number | undefined
}

export class UploadPart implements AsyncDisposable {
  readonly #upload: Upload
  readonly #file: PartFile
  readonly #options: PartOptions
  #settling: Promise<void> | undefined
  #failure: Error | undefined
  #settledAt: number

  private constructor(upload: Upload, file: PartFile, options: PartOptions) {
    this.#upload = upload
    this.#file = file
    this.#options = options
    this.#settledAt = performance.now()
  }

  /** The caller has the upload's turn. @throws UploadLost where the file is not what was told */
  static async open(upload: Upload, options: PartOptions): Promise<UploadPart> {
    const { paths, offset, hash } = upload
    const file = await PartFile.open(paths.part, offset, hash).catch((error: unknown) => upload.loseUnlessNoRoom(error))
    return new UploadPart(upload, file, options)
  }

  /** Takes a chunk. @returns a promise to wait for before the next one */
  take(chunk: Buffer): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure
    this.#upload.taken += chunk.length
    const wait = this.#file.take(chunk)
    if (!this.#settling && this.#isDue())
      this.#settling = this.#save().catch((error: unknown) => {
        this.#failure = error as Error
      })
    return wait
  }

  #isDue(): boolean {
    const { settleBytes } = this.#options
    const { taken, offset } = this.#upload
    if (settleBytes === undefined || this.#file.written <= offset) return false
    return taken - offset >= settleBytes || performance.now() - this.#settledAt >= settleMs
  }

  /**
   * Everything that was taken is durable and the offset says so.
   * @throws the system's error where the disk is full, and what is durable has become the offset; UploadLost
   */
  async settle(): Promise<void> {
    await this.#settling
    const failure = await this.#file.flush()
    try {
      if (this.#upload.gone) throw this.#failure ?? new UploadLost('the upload is gone')
      if (failure !== undefined && !isNoRoom(failure)) await this.#upload.lose(failure)
      if (this.#file.written > this.#upload.offset) await Promise.all([this.#saveOrShorten(), this.#file.know()])
    } catch (error) {
      if (!this.#upload.gone) await this.takeBack()
      throw error
    }
    this.#upload.taken = this.#upload.offset
    if (failure !== undefined) throw failure
  }

  /** On a full disk there may be no room for the state: the last bytes make way for it, so that the rest is not sent again. */
  async #saveOrShorten(): Promise<void> {
    try {
      await this.#save()
    } catch (error) {
      const less = this.#file.written - wayBytes
      if (!isNoRoom(error) || less <= this.#upload.offset) throw error
      await this.#file.cutTo(less)
      await this.#save()
    }
  }

  async #save(): Promise<void> {
    const offset = this.#file.written
    await this.#file.sync().catch((error: unknown) => this.#upload.lose(error))
    await this.#upload.advance(offset, this.#options.now() + this.#options.maxAgeMs)
    this.#settledAt = performance.now()
    this.#settling = undefined
  }

  /** The upload is again what it was at the last settled offset. @throws UploadLost where even that fails */
  async takeBack(): Promise<void> {
    await this.#settling
    await this.#file.flush()
    await this.#file.cutTo(this.#upload.offset).catch((error: unknown) => this.#upload.lose(error))
    this.#upload.taken = this.#upload.offset
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#settling
    await this.#file[Symbol.asyncDispose]()
  }
}
